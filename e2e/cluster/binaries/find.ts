import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { foldersOf } from "../machine/folders.ts";
import { findExecutable } from "../machine/programs.ts";
import type { Say } from "../machine/say.ts";
import { buildTool } from "./build.ts";
import { type Binaries, type BinaryName, programs, type ToolName, tools, type VersionProbe } from "./catalogue.ts";
import { isWhole } from "./manifest.ts";
import { describeTool, finishedName, moduleFolder, neededGo, pinnedVersion, type ToolModule } from "./module.ts";

const probeTimeoutMs = 10_000;

export interface FindOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly say: Say;
  readonly signal: AbortSignal;
}

/**
 * Programs of the versions that we have pinned: from $KUBEBUILDER_ASSETS, from an earlier build, from the PATH when the
 * version fits, else built from Go modules.
 * @throws CopepodError `notFound` when one would have to be built and there is no Go that is new enough
 */
export async function findBinaries<Name extends BinaryName>(
  names: readonly Name[],
  options: FindOptions,
): Promise<Binaries<Name>> {
  const found = new Map<BinaryName, string>(await findReady(names, options));
  const missing = names.filter((name) => !found.has(name));
  const unbuilt = new Set(missing.map((name) => programs[name].tool));
  if (unbuilt.size > 1) options.say(`to be built, one after the other: ${[...unbuilt].join(", ")}`);
  for (const tool of unbuilt) {
    const folder = await build(tool, options);
    for (const name of missing) if (programs[name].tool === tool) found.set(name, join(folder, name));
  }
  return toBinaries(names, found);
}

/** The folders of those that are there without building anything. For a PATH. */
export async function findFolders(names: readonly BinaryName[], options: FindOptions): Promise<string[]> {
  const found = await findReady(names, options);
  return [...new Set(found.map(([, path]) => dirname(path)))];
}

async function findReady(
  names: readonly BinaryName[],
  options: FindOptions,
): Promise<(readonly [BinaryName, string])[]> {
  const looks = names.map(async (name) => {
    const path = await findOne(name, options);
    return path === undefined ? [] : [[name, path] as const];
  });
  return (await Promise.all(looks)).flat();
}

async function findOne(name: BinaryName, options: FindOptions): Promise<string | undefined> {
  const { env } = options;
  const assets = env.KUBEBUILDER_ASSETS;
  const given = assets ? await findFitting(name, [assets], "$KUBEBUILDER_ASSETS", options) : undefined;
  if (given !== undefined) return given;
  const built = join(cacheFolder(env), await finishedName(toolModule(programs[name].tool)));
  if (await isWhole(built, [name])) return join(built, name);
  return await findFitting(name, (env.PATH ?? "").split(delimiter), "the PATH", options);
}

async function findFitting(
  name: BinaryName,
  folders: readonly string[],
  where: string,
  { say, signal }: FindOptions,
): Promise<string | undefined> {
  const program = programs[name];
  const path = await findExecutable(name, folders);
  if (path === undefined || !("probe" in program)) return undefined;
  const wanted = await pinnedVersion(moduleFolder(program.tool), program.probe.module);
  const version = await versionOf(path, program.probe, signal);
  if (version !== undefined && minorOf(version) === minorOf(wanted)) {
    say(`using ${name} ${version} from ${where}`);
    return path;
  }
  say(`not using ${path}: it is ${version ?? "of no version that it tells"}, and ${minorOf(wanted)} is needed`);
  return undefined;
}

async function versionOf(path: string, { args }: VersionProbe, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, args, { timeout: probeTimeoutMs, signal });
    return /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0];
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

const minorOf = (version: string): string => version.replace(/^v/, "").split(".").slice(0, 2).join(".");

async function build(name: ToolName, { env, say, signal }: FindOptions): Promise<string> {
  const tool = toolModule(name);
  const names = Object.entries(programs).flatMap(([program, { tool }]) => (tool === name ? [program] : []));
  try {
    return await buildTool(tool, names, { cache: cacheFolder(env), env, say, signal });
  } catch (cause) {
    if (!(cause instanceof CopepodError && cause.code === "notFound")) throw cause;
    throw new CopepodError(
      "notFound",
      `${await describeTool(tool)} has to be built, and ${cause.message}: install Go ${await neededGo(tool.folder)} ` +
        `or newer, or have ${names.join(", ")} of that version on the PATH or in the folder that $KUBEBUILDER_ASSETS names`,
      { cause },
    );
  }
}

const toolModule = (name: ToolName): ToolModule => ({ ...tools[name], name, folder: moduleFolder(name) });

const cacheFolder = (env: NodeJS.ProcessEnv): string => join(foldersOf(env, homedir()).cache, "binaries");

function toBinaries<Name extends BinaryName>(
  names: readonly Name[],
  found: ReadonlyMap<BinaryName, string>,
): Binaries<Name>;
function toBinaries(names: readonly BinaryName[], found: ReadonlyMap<BinaryName, string>): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? ""]));
}
