import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Binaries } from "../cluster/binaries/catalogue.ts";
import { findBinaries } from "../cluster/binaries/find.ts";
import { ControlPlane } from "../cluster/control-plane/control-plane.ts";

const programs = ["etcd", "kube-apiserver"] as const;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

let found: Promise<Binaries<(typeof programs)[number]>> | undefined;
export const controlPlaneBinaries = () =>
  (found ??= findBinaries(programs, { env: process.env, say, signal: new AbortController().signal }));

/**
 * Why there can be no control plane here, for the `skip` of a test; false when there can. Builds the programs where that
 * was not yet done. With COPEPOD_REQUIRE_CLUSTER=1 nothing is skipped: the tests fail instead.
 */
export async function controlPlaneGate(): Promise<string | false> {
  try {
    await controlPlaneBinaries();
    return false;
  } catch (error) {
    if (process.env.COPEPOD_REQUIRE_CLUSTER === "1" || !(error instanceof CopepodError)) throw error;
    return `no API server: ${error.message}`;
  }
}

/** A control plane in a temporary folder. Disposing of it ends its processes; its folder goes with this process. */
export async function startControlPlane(flags: readonly string[] = []): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), "control-plane-"));
  startGuard(folder);
  return await ControlPlane.start({ folder, binaries: await controlPlaneBinaries(), flags });
}

/** Once this process is gone, however it went, its stdin is closed: then it ends what still runs and removes the folder. */
function startGuard(folder: string): void {
  const removal = `
    import { rm } from "node:fs/promises";
    import { listProcesses, stopProcess } from ${JSON.stringify(import.meta.resolve("../cluster/machine/processes.ts"))};
    const folder = process.argv[1];
    for (const { name } of await listProcesses(folder)) await stopProcess(folder, name, { signal: "SIGKILL" });
    await rm(folder, { recursive: true, force: true });
  `;
  // A shell waits: it takes less memory.
  const words = [
    "-c",
    'cat > /dev/null; exec "$@"',
    "sh",
    process.execPath,
    "--input-type=module",
    "--eval",
    removal,
    folder,
  ];
  const guard = spawn("/bin/sh", words, { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
}
