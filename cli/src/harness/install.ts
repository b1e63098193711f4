import { existsSync } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { type HarnessName, harnessFolder, harnessSource } from "@copepod/agent-image/harnesses/harness";
import { environment } from "@copepod/core/environment";
import { CopepodError } from "@copepod/core/errors";
import { ExitError } from "../exit-codes.ts";
import { makeFolder } from "../home/make-folder.ts";
import { childrenOf, findProgram, removeLeftovers, sizeOf, temporaryName } from "./installed.ts";
import { run } from "./run.ts";

/** How often a long installation says that it goes on. */
const progressMs = 2_000;
/** The program of a harness says its version within this time, also on a busy machine. */
const versionTimeoutMs = 60_000;
/** Output of npm that is shown when it fails. */
const maxOutputLines = 15;
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
 * @throws CopepodError `installFailed`; `cancelled` when the signal ended it
 */
export async function installHarness(name: HarnessName, options: InstallOptions): Promise<Installed> {
  const { harnessesDir } = options;
  const path = harnessFolder(harnessesDir, name);
  const ended = await removeLeftovers(harnessesDir, name);
  if (ended > 0) options.say(`${name}: ended an npm that a killed installation had left`);
  if (existsSync(path)) return { path, isNew: false };
  const npm = findNpm(options.env);
  const folder = temporaryName(path);
  await makeOrExplain(folder);
  try {
    for (const file of ["package.json", "package-lock.json"]) {
      await copyFile(join(harnessSource(name), file), join(folder, file));
    }
    await runNpm(npm, folder, { name, ...options });
    await checkProgram(name, folder, options);
    await rm(childrenOf(folder), { recursive: true });
    return { path, isNew: await moveTo(folder, path) };
  } catch (error) {
    throw options.signal.aborted ? stopped(name) : error;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const stopped = (name: HarnessName): CopepodError =>
  new ExitError("interrupted", "cancelled", {
    message: `the installation of ${name} was stopped; nothing of it stays`,
    cure: `\`copepod provider add ${name}\` installs it after all.`,
  });

async function makeOrExplain(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : "unknown error";
    throw new ExitError("failure", "installFailed", {
      message: `${dirname(folder)} can't be written (${why})`,
      cure: `Set ${environment.harnessesDir} to another folder, or make this one writable for you.`,
    });
  }
}

/** Beside the Node that runs, else the first on the PATH. */
function findNpm({ PATH = "" }: InstallOptions["env"]): string {
  const folders = [dirname(process.execPath), ...PATH.split(delimiter)];
  const found = folders.map((folder) => join(folder, "npm")).find((file) => existsSync(file));
  if (found) return found;
  throw new ExitError("failure", "installFailed", {
    message: "there is no npm beside Node or on the PATH",
    cure: "Install Node with npm, then run the command again.",
  });
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
    const { code, output } = await run(npm, ["ci", ...flags, `--prefix=${folder}`], {
      ...{ cwd: folder, env, signal, children: childrenOf(folder) },
    });
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
    throw new ExitError("failure", "installFailed", {
      message: `the harness ${name} has no program for ${place}`,
      cure: "Use another provider on this machine.",
    });
  }
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(versionTimeoutMs)]);
  const { code, output } = await run(program, ["--version"], {
    cwd: folder,
    env: { PATH: env.PATH, HOME: folder },
    signal: timeout,
    children: childrenOf(folder),
  });
  if (code === 0) return;
  throw new ExitError("failure", "installFailed", {
    message: `the program of ${name} does not run here:\n${lastLines(output)}`,
    cure: "Mend what its last lines name, mostly the C library of the system, or use another provider.",
  });
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

const lastLines = (output: string): string =>
  output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-maxOutputLines)
    .map((line) => `  ${line}`)
    .join("\n");
