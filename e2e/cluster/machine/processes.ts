import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import type { Server } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { isMissing, readIfThere } from "./files.ts";
import { waitFor } from "./wait.ts";

const startTimeoutMs = 10_000;
const killTimeoutMs = 10_000;
export const defaultGraceMs = 10_000;
const shownLogLines = 5;
/** The stacks of a program that has ended are so long. */
const searchedLogLines = 300;

export interface ProcessOptions {
  /** The cluster's: the record is `processes/<name>` in it, the output goes to `logs/<name>.log`. */
  readonly folder: string;
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** Nothing else is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Of this process's network, given to a Node program in a message of its IPC channel; it answers when it has it. The caller
   * closes its own.
   */
  readonly listener?: Server;
  readonly signal: AbortSignal;
}

export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** Start of the machine and of the process: another process of the same id has another one. */
  readonly identity: string;
}

export interface ProcessState extends ProcessRecord {
  readonly isRunning: boolean;
}

/**
 * The shell writes its own record, then becomes the program. So the record is there before the program is, whatever
 * happens to the one who starts it.
 */
const recorded = `
{ echo $$; if [ -r /proc/$$/stat ]; then cat /proc/sys/kernel/random/boot_id /proc/$$/stat; else ps -o lstart= -p $$; fi; } > "$0" \\
  && exec "$@"
`;

/** Starts a process that outlives this one. It must not run already: see `findProcess`. */
export async function startProcess({
  folder,
  name,
  command,
  env = {},
  listener,
  signal,
}: ProcessOptions): Promise<ProcessRecord> {
  signal.throwIfAborted();
  const file = recordFile(folder, name);
  await mkdir(join(folder, "processes"), { recursive: true, mode: 0o700 });
  await mkdir(join(folder, "logs"), { recursive: true, mode: 0o700 });
  await rm(file, { force: true });
  await using log = await open(logFile(folder, name), "a", 0o600);
  const child = spawn("/bin/sh", ["-c", recorded, file, ...command], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd, ...(listener ? (["ipc"] as const) : [])],
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
  });
  const failed = new Promise<never>((_, reject) => child.on("error", reject));
  child.unref();
  const started = waitFor(`the start of ${name}`, () => readRecord(folder, name), {
    timeoutMs: startTimeoutMs,
    signal,
  });
  const record = await Promise.race([started, failed]);
  if (listener) await handOver(child, listener, { name, signal });
  return record;
}

/** Comes back, too, when the process has ended at once: whoever waits for what it does sees that anyway. */
async function handOver(
  child: ChildProcess,
  listener: Server,
  { name, signal }: Pick<ProcessOptions, "name" | "signal">,
): Promise<void> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  child.once("message", end).once("exit", end);
  child.send("listener", listener);
  await waitFor(`${name} to take its listener`, () => isOver, { timeoutMs: startTimeoutMs, signal });
  if (child.connected) child.disconnect();
}

/** @returns undefined when it does not run */
export async function findProcess(folder: string, name: string): Promise<ProcessRecord | undefined> {
  const record = await readRecord(folder, name);
  return record && (await isSame(record)) ? record : undefined;
}

/** All that were started in this folder and not stopped. */
export async function listProcesses(folder: string): Promise<ProcessState[]> {
  const names = await readdir(join(folder, "processes")).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const states = await Promise.all(
    names.map(async (name) => {
      const record = await readRecord(folder, name);
      return record && { ...record, isRunning: await isSame(record) };
    }),
  );
  return states.filter((state) => state !== undefined);
}

export interface StopOptions {
  readonly signal?: "SIGTERM" | "SIGKILL";
  /** How long it may take before it gets SIGKILL. */
  readonly graceMs?: number;
}

/** Ends a process that was started in this folder, waits until it is gone, and forgets it. */
export async function stopProcess(
  folder: string,
  name: string,
  { signal = "SIGTERM", graceMs = defaultGraceMs }: StopOptions = {},
): Promise<void> {
  const record = await findProcess(folder, name);
  if (record && !(await end(record, signal, graceMs))) {
    if (!(await end(record, "SIGKILL", killTimeoutMs)))
      throw new CopepodError("timeout", `${name} (process ${record.pid}) does not end, not even by SIGKILL`);
  }
  await rm(recordFile(folder, name), { force: true });
}

/** @returns whether it was gone in time */
async function end(record: ProcessRecord, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
  try {
    process.kill(record.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
  const gone = waitFor(`the end of ${record.name}`, async () => !(await isSame(record)), {
    timeoutMs,
    signal: new AbortController().signal,
  });
  return await gone.catch((error: unknown) => {
    if (error instanceof CopepodError && error.code === "timeout") return false;
    throw error;
  });
}

/** Ids of its children, on Linux. None when it has ended. */
export async function childrenOf({ pid }: ProcessRecord): Promise<number[]> {
  const text = (await readIfThere(`/proc/${pid}/task/${pid}/children`)) ?? "";
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}

export const logFile = (folder: string, name: string): string => join(folder, "logs", `${name}.log`);
const recordFile = (folder: string, name: string): string => join(folder, "processes", name);

/** What a process last said, for the end of an error's sentence. */
export async function lastWords(folder: string, name: string): Promise<string> {
  const file = logFile(folder, name);
  const end = ((await readIfThere(file)) ?? "").trimEnd().split("\n").slice(-searchedLogLines);
  // A Go program that gives up says why, and where in the program ever after.
  const cause = end.findLastIndex((line) => /^(panic: |fatal error: |F\d{4} )|"level":"(fatal|panic)"/.test(line));
  const lines = cause === -1 ? end.slice(-shownLogLines) : end.slice(cause, cause + shownLogLines);
  return `the end of ${file}:\n${lines.join("\n")}`;
}

async function readRecord(folder: string, name: string): Promise<ProcessRecord | undefined> {
  const [pid, ...rest] = ((await readIfThere(recordFile(folder, name))) ?? "").split("\n");
  const identity = process.platform === "linux" ? parseProc(rest)?.identity : rest[0]?.trim();
  return pid && identity ? { name, pid: Number(pid), identity } : undefined;
}

async function isSame({ pid, identity }: ProcessRecord): Promise<boolean> {
  return identity === (process.platform === "linux" ? await lookInProc(pid) : await lookWithPs(pid));
}

async function lookInProc(pid: number): Promise<string | undefined> {
  try {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const found = parseProc([boot.trim(), await readFile(`/proc/${pid}/stat`, "utf8")]);
    return found?.hasEnded ? undefined : found?.identity;
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (isMissing(error) || (error instanceof Error && "code" in error && error.code === "ESRCH")) return undefined;
    throw error;
  }
}

function parseProc([boot, stat]: readonly string[]):
  | { readonly identity: string; readonly hasEnded: boolean }
  | undefined {
  if (!boot || !stat) return undefined;
  // The name in brackets may hold anything. State is the third field, start time the 22nd.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[19] ? { identity: `${boot} ${fields[19]}`, hasEnded: /^[ZX]/.test(fields[0] ?? "") } : undefined;
}

async function lookWithPs(pid: number): Promise<string | undefined> {
  try {
    return (await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)])).stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
