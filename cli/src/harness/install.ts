import { type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { type HarnessName, harnessFolder, harnessSource } from "@copepod/agent-image/harnesses/harness";
import { environment } from "@copepod/core/environment";
import { CopepodError } from "@copepod/core/errors";
import { findProgram, removeLeftovers, sizeOf, temporaryName } from "./installed.ts";

/** How often a long installation says that it goes on. */
const progressMs = 2_000;
/** The program of a harness says its version within this time, also on a busy machine. */
const versionTimeoutMs = 60_000;
/** Output of npm that is shown when it fails. */
const maxOutputLines = 15;
const maxOutputCharacters = 4_000;
const megabyte = 1_000_000;

export interface InstallOptions {
  /** Folder of all harnesses. */
  readonly harnessesDir: string;
  /** Environment of npm: its settings and the way to its registry. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line of progress. */
  readonly say: (line: string) => void;
  /** Ends the installation; nothing of it stays. */
  readonly signal: AbortSignal;
}

export interface Installed {
  readonly path: string;
  /** false = it was there already, or somebody else was faster. */
  readonly isNew: boolean;
}

/**
 * Installs a harness by its lock file. It appears in its place when it is whole and its program runs. Several may do
 * this at once.
 * @throws CopepodError `installFailed`; also when the signal ended it
 */
export async function installHarness(name: HarnessName, options: InstallOptions): Promise<Installed> {
  const { harnessesDir } = options;
  const path = harnessFolder(harnessesDir, name);
  await removeLeftovers(harnessesDir, name);
  if (existsSync(path)) return { path, isNew: false };
  const npm = findNpm(options.env);
  const folder = temporaryName(path);
  await makeFolder(folder);
  try {
    for (const file of ["package.json", "package-lock.json"]) {
      await copyFile(join(harnessSource(name), file), join(folder, file));
    }
    await runNpm(npm, folder, { name, ...options });
    await checkProgram(name, folder, options);
    return { path, isNew: await moveTo(folder, path) };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : "unknown error";
    throw new CopepodError(
      "installFailed",
      `${dirname(folder)} can't be written (${why}); set ${environment.harnessesDir} to another folder`,
      { cause: error },
    );
  }
}

/** Beside the Node that runs, else the first on the PATH. */
function findNpm({ PATH = "" }: InstallOptions["env"]): string {
  const folders = [dirname(process.execPath), ...PATH.split(delimiter)];
  const found = folders.map((folder) => join(folder, "npm")).find((file) => existsSync(file));
  if (found) return found;
  throw new CopepodError("installFailed", "there is no npm on the PATH; install Node with npm, then try again");
}

async function runNpm(npm: string, folder: string, options: InstallOptions & { name: HarnessName }): Promise<void> {
  const { name, env, signal, say } = options;
  const startedAt = performance.now();
  const progress = setInterval(() => {
    void sizeOf(folder).then((bytes) => {
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      say(`${name}: ${Math.round(bytes / megabyte)} MB on disk, ${seconds} s`);
    });
  }, progressMs);
  try {
    const flags = ["--ignore-scripts", "--omit=dev", "--include=optional", "--no-audit", "--no-fund"];
    const { code, output } = await run(npm, ["ci", ...flags, `--prefix=${folder}`], { cwd: folder, env, signal });
    if (code === 0) return;
    throw new CopepodError("installFailed", `npm could not install ${name}:\n${lastLines(output)}`);
  } finally {
    clearInterval(progress);
  }
}

async function checkProgram(name: HarnessName, folder: string, { env, signal }: InstallOptions): Promise<void> {
  const program = findProgram(folder, name);
  if (program === undefined) {
    const place = `${process.platform} on ${process.arch}`;
    throw new CopepodError("installFailed", `the harness ${name} has no program for ${place}`);
  }
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(versionTimeoutMs)]);
  const { code, output } = await run(program, ["--version"], {
    cwd: folder,
    env: { PATH: env.PATH, HOME: folder },
    signal: timeout,
  });
  if (code === 0) return;
  throw new CopepodError("installFailed", `the program of ${name} does not run here:\n${lastLines(output)}`);
}

/** @returns whether it was ours that came first. */
async function moveTo(folder: string, path: string): Promise<boolean> {
  try {
    await rename(folder, path);
    return true;
  } catch (error) {
    if (existsSync(path)) return false;
    throw error;
  }
}

interface Ran {
  /** undefined = it could not be started, or was ended by a signal. */
  readonly code: number | undefined;
  /** The end of both streams together. */
  readonly output: string;
}

/** Never rejects. */
function run(program: string, args: readonly string[], options: SpawnOptions): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-maxOutputCharacters);
    });
  }
  child.on("error", (error) => {
    output += error.message;
  });
  child.on("close", (code) => resolve({ code: code ?? undefined, output }));
  return promise;
}

const lastLines = (output: string): string =>
  output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-maxOutputLines)
    .map((line) => `  ${line}`)
    .join("\n");
