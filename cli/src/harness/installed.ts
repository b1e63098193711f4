import { existsSync, globSync, readFileSync } from "node:fs";
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type HarnessName, harnessFolder, harnessSource } from "@copepod/agent-image/harnesses/harness";
import { z } from "zod";
import { endOrphans } from "../supervisor/orphans.ts";

/** Where the program of a harness is, below its folder. */
const programs: Readonly<Record<HarnessName, string>> = {
  claude: "node_modules/@anthropic-ai/claude-agent-sdk-*/claude",
  codex: "node_modules/@openai/codex-*/vendor/*/bin/codex",
  opencode: "node_modules/opencode-*/bin/opencode",
};

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), dependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

/** One folder of a harness, installed or to be installed. */
export interface Installation {
  readonly name: HarnessName;
  /** Of the package that its `package.json` names; undefined when its lock can't be read. */
  readonly version: string | undefined;
  /** The one that this Copepod uses; others were installed by another version. */
  readonly current: boolean;
  readonly installed: boolean;
  readonly path: string;
  /** 0 when it is not installed. */
  readonly bytes: number;
}

/** The version that this Copepod uses, then others that lie beside it. */
export async function listInstallations(harnessesDir: string, name: HarnessName): Promise<Installation[]> {
  const path = harnessFolder(harnessesDir, name);
  const current = { name, version: versionOf(harnessSource(name)), current: true, installed: existsSync(path), path };
  const others = (await foldersOf(harnessesDir, name)).filter((other) => other !== path);
  return await Promise.all(
    [
      current,
      ...others.map((other) => ({ name, version: versionOf(other), current: false, installed: true, path: other })),
    ].map(async (installation) => ({ ...installation, bytes: await sizeOf(installation.path) })),
  );
}

/** Removes all versions of a harness. @returns their folders. */
export async function removeInstallations(harnessesDir: string, name: HarnessName): Promise<string[]> {
  const folders = await foldersOf(harnessesDir, name);
  for (const folder of folders) {
    // In one step: half a folder would count as installed.
    const removed = temporaryName(folder);
    await rename(folder, removed);
    await rm(removed, { recursive: true, force: true });
  }
  await removeLeftovers(harnessesDir, name);
  return folders;
}

/** The program in a folder of a harness; undefined when the platform has none. */
export const findProgram = (folder: string, name: HarnessName): string | undefined =>
  globSync(programs[name], { cwd: folder }).map((path) => join(folder, path))[0];

let temporaryNames = 0;

/** A name beside a folder that tells which process uses it. */
export const temporaryName = (folder: string): string => `${folder}.${process.pid}-${++temporaryNames}.tmp`;

/** Below a folder in which something is being installed: who does it. */
export const childrenOf = (folder: string): string => join(folder, ".children");

/** Removes what processes that were killed have left. @returns how many npms of theirs were still running */
export async function removeLeftovers(harnessesDir: string, name: HarnessName): Promise<number> {
  let ended = 0;
  for (const entry of await entriesOf(harnessesDir)) {
    const [, of, pid] = /^([a-z]+)-[0-9a-f]{12}\.(\d+)-\d+\.tmp$/.exec(entry) ?? [];
    if (of !== name || isRunning(Number(pid))) continue;
    const folder = join(harnessesDir, entry);
    ended += await endOrphans(childrenOf(folder));
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  return ended;
}

/** Bytes of all files below a folder; 0 when there is none. What disappears meanwhile does not count. */
export async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await lstat(join(parentPath, name)).catch(() => undefined))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function foldersOf(harnessesDir: string, name: HarnessName): Promise<string[]> {
  const entries = await entriesOf(harnessesDir);
  return entries
    .filter((entry) => new RegExp(`^${name}-[0-9a-f]{12}$`).test(entry))
    .map((entry) => join(harnessesDir, entry));
}

const entriesOf = async (folder: string): Promise<string[]> => await readdir(folder).catch(() => []);

function versionOf(folder: string): string | undefined {
  try {
    const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")));
    const [dependency] = Object.keys(packages[""]?.dependencies ?? {});
    return packages[`node_modules/${dependency}`]?.version;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
