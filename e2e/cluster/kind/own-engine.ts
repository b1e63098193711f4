import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster } from "../cluster.ts";
import { cgroupOf, removeCgroup } from "../machine/cgroups.ts";
import { childrenOf, findProcess, lastWords, startProcess, stopProcess } from "../machine/processes.ts";
import { waitFor } from "../machine/wait.ts";
import type { Limits } from "./config.ts";
import { readDebian, unpackPackages } from "./debian.ts";
import { answers, chooseDocker, type Ground } from "./engine.ts";
import { provideNodeImage } from "./node-image.ts";

const name = "dockerd";
/** Leads from this machine's network to the API server in the engine's. */
const door = "door";
const doorProgram = join(import.meta.dirname, "door.ts");
const startTimeoutMs = 30_000;
const bridgeAddress = "172.17.0.1";
/** Bit of CAP_SYS_RESOURCE in a capability set. */
const sysResource = 1n << 24n;

const engineFolder = (folder: string): string => join(folder, "engine");

/**
 * The first process of the engine's namespaces. Their end is its end: with it go all processes, mounts and interfaces. There
 * is no way out of them, so no image is ever asked for elsewhere.
 */
const initScript = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
exec dockerd "$@"
`;

const namespaces = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"] as const;

/** Packages of what is called by name, and of what the engine calls. */
const packages = ["util-linux", "iproute2", "iptables", "runc"] as const;

/** An engine for one cluster, all of which is in the cluster's folder, with a node image of our own. */
export const ownGround = (cache: string): Ground => ({
  async start(cluster) {
    if (process.platform !== "linux" || process.getuid?.() !== 0)
      throw new CopepodError(
        "invalid",
        "an own engine is made by root on Linux; start Docker, and leave out --own-engine",
      );
    await cluster.packages(packages);
    await unpackPackages(programsIn(cache), cluster);
    if (!(await findProcess(cluster.folder, name))) await startEngine(cluster, programsIn(cache));
    const look = () => this.find(cluster);
    const hint = () => lastWords(cluster.folder, name);
    const options = { timeoutMs: startTimeoutMs, signal: cluster.signal, hint };
    return await waitFor("the answer of the Docker engine", look, options);
  },
  async find(cluster) {
    const engine = { env: envOf(cluster, programsIn(cache)), enter: await enterOf(cluster) };
    return engine.enter.length > 0 && (await answers(engine, cluster.signal)) ? engine : undefined;
  },
  async image(cluster, engine) {
    const debian = await readDebian(cluster);
    const name = await provideNodeImage(cluster, { engine, debian, programs: programsIn(cache), cache });
    return { name, own: await readLimits() };
  },
  async publish({ folder, signal }, { enter }, port) {
    if (await findProcess(folder, door)) return;
    await using listener = createServer().listen(port, "127.0.0.1");
    await once(listener, "listening");
    const command = ["nsenter", ...enter.slice(1), process.execPath, doorProgram, String(port)] as const;
    await startProcess({ folder, name: door, command, listener, signal });
  },
  async remove(cluster) {
    await stopProcess(cluster.folder, door);
    await stopProcess(cluster.folder, name, { signal: "SIGKILL" });
    await removeCgroup(cgroupOf(cluster.name));
    await rm(engineFolder(cluster.folder), { recursive: true, force: true });
  },
});

/** Where the Debian packages are unpacked. */
const programsIn = (cache: string): string => join(cache, "docker");

async function startEngine(cluster: Cluster, programs: string): Promise<void> {
  const { folder, signal } = cluster;
  await mkdir(engineFolder(folder), { recursive: true, mode: 0o700 });
  // Of an engine that was killed.
  await stopProcess(folder, door);
  await removeCgroup(cgroupOf(cluster.name));
  const runtime = (await readLimits()).noSysResource ? await writeRuntime(engineFolder(folder)) : [];
  const engine = ["/bin/sh", "-c", initScript, name, ...flagsOf(cluster), ...runtime];
  const { PATH } = envOf(cluster, programs);
  await startProcess({ folder, name, command: ["unshare", ...namespaces, ...engine], env: { PATH }, signal });
}

const envOf = ({ folder }: Cluster, programs: string) => ({
  ...chooseDocker,
  PATH: [join(programs, "usr/bin"), join(programs, "usr/sbin"), process.env.PATH].join(delimiter),
  DOCKER_HOST: `unix://${socketOf(folder)}`,
});

const socketOf = (folder: string): string => join(engineFolder(folder), "docker.sock");

const flagsOf = ({ folder, name: cluster }: Cluster): readonly string[] => [
  `--data-root=${join(engineFolder(folder), "data")}`,
  // Both are on a file system that a new start finds empty: what they say of processes would be about dead ones.
  "--exec-root=/run/docker",
  "--pidfile=/run/docker.pid",
  `--host=unix://${socketOf(folder)}`,
  `--cgroup-parent=${cgroupOf(cluster)}`,
  // A machine that can't lower scores for the out-of-memory killer can't have it lower than this.
  "--oom-score-adjust=0",
  // Without one the engine would ask public servers for names; nobody listens on this one, so all are unknown at once.
  `--dns=${bridgeAddress}`,
  "--dns-search=.",
];

/** Makes the engine call runc through `runc/main.ts`. */
async function writeRuntime(folder: string): Promise<readonly string[]> {
  const file = join(folder, "runc");
  const main = join(import.meta.dirname, "runc", "main.ts");
  const script = `#!/bin/sh\nexec '${process.execPath}' --no-warnings '${main}' "$(command -v runc)" "$@"\n`;
  await writeFile(file, script);
  await chmod(file, 0o755);
  return [`--add-runtime=filtered=${file}`, "--default-runtime=filtered"];
}

/** @returns words before a command that lead into the engine's network; none of them when it does not run */
async function enterOf({ folder }: Cluster): Promise<readonly string[]> {
  const engine = await findProcess(folder, name);
  // `unshare` stays outside of the namespaces, its child is their first process.
  const [first] = engine ? await childrenOf(engine) : [];
  return first === undefined ? [] : ["nsenter", `--target=${first}`, "--net", "--"];
}

async function readLimits(): Promise<Limits> {
  const status = await readFile("/proc/self/status", "utf8");
  const [, bounding = "0"] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  const hierarchies = await readdir("/sys/fs/cgroup");
  return {
    cgroupV1: !hierarchies.includes("cgroup.controllers"),
    noSysResource: (BigInt(`0x${bounding}`) & sysResource) === 0n,
  };
}
