import { type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processIdentity } from "../supervisor/orphans.ts";

/** A program that is asked to end may take this long. */
const endGraceMs = 2_000;
/** End of the output that is kept. */
const maxOutputCharacters = 4_000;

export interface RunOptions extends Pick<SpawnOptions, "env"> {
  readonly cwd: string;
  /** Ends the program with all that it has started. */
  readonly signal: AbortSignal;
  /** Made, with a file for the program: `endOrphans` ends it with that when this process was killed. */
  readonly children: string;
}

export interface Ran {
  /** undefined = it could not be started, or was ended by a signal. */
  readonly code: number | undefined;
  /** The end of both streams together. */
  readonly output: string;
}

/** Runs a program in a process group of its own. Never rejects for what the program does. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const { cwd, env, signal, children } = options;
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-maxOutputCharacters);
    });
  }
  child.on("error", (error) => {
    output += error.message;
  });
  const { pid } = child;
  let killing: NodeJS.Timeout | undefined;
  const end = () => {
    signalGroup(pid, "SIGTERM");
    killing = setTimeout(() => signalGroup(pid, "SIGKILL"), endGraceMs);
  };
  if (pid !== undefined) note(children, pid);
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  child.on("close", (code) => {
    signal.removeEventListener("abort", end);
    clearTimeout(killing);
    // Its own children may have closed their output and go on.
    if (signal.aborted) signalGroup(pid, "SIGKILL");
    resolve({ code: code ?? undefined, output });
  });
  return promise;
}

function note(children: string, pid: number): void {
  mkdirSync(children, { recursive: true });
  writeFileSync(join(children, String(pid)), processIdentity(pid) ?? "");
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of it is gone.
  }
}
