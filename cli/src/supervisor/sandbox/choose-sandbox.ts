import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { environment } from "@copepod/core/environment";
import { CopepodError } from "@copepod/core/errors";
import { ExitError } from "../../exit-codes.ts";
import { bubblewrapCommand, type Tools, toolFolders } from "./bubblewrap.ts";
import type { Engine } from "./engine.ts";
import { type EngineChoice, engineSandbox } from "./engine-sandbox.ts";
import { firstId } from "./identity.ts";
import { bubblewrapSandbox, type InsideMachine, type Sandbox, withoutSandbox } from "./sandbox.ts";
import { systemMounts } from "./system-mounts.ts";

/** What the person asked for. `auto`: bubblewrap where it works, else nothing. */
export type SandboxChoice = "auto" | "bubblewrap" | Engine | "unsandboxed";

const probeTimeoutMs = 10_000;

/** @throws CopepodError `sandboxMissing` when what was asked for by name does not work here */
export async function chooseSandbox(
  choice: SandboxChoice,
  engines: Omit<EngineChoice, "engine">,
  inside: InsideMachine,
): Promise<Sandbox> {
  switch (choice) {
    case "unsandboxed":
      return withoutSandbox("waived", inside.own);
    case "auto": {
      const probe = await probeBubblewrap(inside.own.uid);
      return probe.works ? bubblewrapSandbox(probe.tools, inside) : withoutSandbox("none", inside.own);
    }
    case "bubblewrap": {
      const probe = await probeBubblewrap(inside.own.uid);
      if (probe.works) return bubblewrapSandbox(probe.tools, inside);
      throw new CopepodError("sandboxMissing", `bubblewrap does not work here: ${probe.reason}`);
    }
    case "docker":
    case "podman": {
      const engine = { engine: choice, ...engines };
      await probeEngine(engine);
      return engineSandbox(engine, inside);
    }
  }
}

export type Probe =
  | { readonly works: true; readonly tools: Tools }
  | { readonly works: false; readonly missing: boolean; readonly reason: string };

/** Runs a program that does nothing, in the way in which sessions are run. */
export async function probeBubblewrap(uid: number): Promise<Probe> {
  const [bwrap, setpriv] = [findTool("bwrap"), findTool("setpriv")];
  if (!bwrap) return { works: false, missing: true, reason: "it is not installed" };
  if (uid === 0 && !setpriv) return { works: false, missing: true, reason: "setpriv (util-linux) is not installed" };
  const tools = { bwrap, setpriv: setpriv ?? "" };
  const become = uid === 0 ? { uid: firstId, gid: firstId } : undefined;
  const [program = "", ...args] = bubblewrapCommand({
    tools,
    mounts: systemMounts(),
    become,
    folder: "/",
    program: ["/bin/true"],
  });
  try {
    await promisify(execFile)(program, args, { timeout: probeTimeoutMs, env: {} });
    return { works: true, tools };
  } catch (error) {
    return { works: false, missing: false, reason: lastWords(error) };
  }
}

/** @throws CopepodError `sandboxMissing` */
async function probeEngine({ engine, image, env }: EngineChoice): Promise<void> {
  const args = ["run", "--rm", "--pull", "never", "--network", "none", image, "/bin/true"];
  try {
    await promisify(execFile)(engine, args, { timeout: probeTimeoutMs, env });
  } catch (error) {
    throw new ExitError("failure", "sandboxMissing", {
      message: `${engine} does not work here: ${lastWords(error)}`,
      cure: isMissing(error)
        ? `Install ${engine}, or leave \`--sandbox\` out for bubblewrap.`
        : `Try \`${engine} pull ${image}\`, or set ${environment.sandboxImage} to an image that you have.`,
    });
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

/** What a command said last on stderr. */
function lastWords(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return said.split("\n").at(-1) || String(error);
}

const findTool = (name: string): string | undefined =>
  toolFolders.map((folder) => join(folder, name)).find((path) => existsSync(path));
