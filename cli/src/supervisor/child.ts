import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { endLine } from "@copepod/core/lifetime";
import { createLastWords } from "./last-words.ts";
import type { LogFile } from "./log-file.ts";
import { processIdentity } from "./orphans.ts";
import type { Exit } from "./restart.ts";

/** How long the last output of an ended process is waited for. */
const lastOutputMs = 1_000;

/** What is started. */
export interface Program {
  /** Path of the program, and its arguments. */
  readonly argv: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>;
  /** How it is asked to end: a signal, or `endLine` in its pipe, where no signal would arrive. */
  readonly askedBy: "signal" | "pipe";
  /** A command line that ends what the death of the process does not end. */
  readonly alsoKill?: readonly string[];
}

export interface Command extends Program {
  readonly log: LogFile;
}

/** A program of this repository, run by this Node. */
export const nodeProgram = (script: string, env: Program["env"], flags: readonly string[] = []): Program => ({
  argv: [process.execPath, ...flags, script],
  env,
  askedBy: "signal",
});

/** A process that was started. */
export interface Child {
  readonly exited: Promise<Exit>;
  /** Asks it to end. */
  terminate(): void;
  /** Ends it at once, with all that it started. */
  kill(): void;
}

/** Throws when it can't start the program as it should be; then nothing of it is left. */
export type StartChild = (command: Command) => Child;

/**
 * Starts programs. Each gets an own process group: Ctrl-C in our terminal reaches us only, so that we end the children in
 * order. Each gets a pipe as stdin: its end tells the child that we are gone.
 * @param childrenFolder where each living child has a file, see `endOrphans`.
 */
export function createStartChild(childrenFolder: string): StartChild {
  return ({ argv: [program = "", ...args], env, askedBy, alsoKill, log }) => {
    const child = spawn(program, args, { env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
    const { pid } = child;
    const ended = waitForExit(child, log).then((exit) => (askedBy === "pipe" ? seenThrough(exit) : exit));
    const note = pid === undefined ? undefined : writeNote(childrenFolder, pid);
    let aside: Promise<void> | undefined;
    const exited = ended.then(async (exit) => {
      if (note) removeNote(note);
      await aside;
      return exit;
    });
    return {
      exited,
      terminate: () => (askedBy === "pipe" ? child.stdin.write(endLine) : child.kill("SIGTERM")),
      kill: () => {
        if (alsoKill) aside = runAside(alsoKill, env);
        if (pid !== undefined) killGroup(pid);
      },
    };
  };
}

/** Resolves when it has ended, however that was. */
function runAside([program = "", ...args]: readonly string[], env: Program["env"]): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: "ignore" });
    child.once("error", () => resolve()).once("exit", () => resolve());
  });
}

/** Without its note, a child could not be ended by the next supervisor: it must not live. */
function writeNote(childrenFolder: string, pid: number): string {
  const note = join(childrenFolder, String(pid));
  try {
    writeFileSync(note, processIdentity(pid) ?? "");
    return note;
  } catch (error) {
    killGroup(pid);
    removeNote(note);
    throw error;
  }
}

function removeNote(note: string): void {
  try {
    rmSync(note, { force: true });
  } catch {
    // A note of a process that is gone says nothing.
  }
}

function waitForExit(child: ChildProcess, log: LogFile): Promise<Exit> {
  const errors = createLastWords();
  const output = createLastWords();
  child.stdout?.on("data", (chunk: Buffer) => {
    log.write(chunk);
    output.hear(chunk.toString("utf8"));
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    log.write(chunk);
    errors.hear(chunk.toString("utf8"));
  });
  child.stdin?.on("error", () => {});
  return new Promise((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null, words?: string) =>
      resolve({ code, signal, lastWords: words ?? errors.line() ?? output.line() });
    child.once("error", (error) => end(null, null, error.message));
    child.once("exit", (code, signal) => {
      if (child.pid !== undefined) killGroup(child.pid);
      // What it wrote last is still in the pipes; a process that left the group may hold them for ever.
      const timer = setTimeout(() => end(code, signal), lastOutputMs);
      child.once("close", () => {
        clearTimeout(timer);
        end(code, signal);
      });
    });
  });
}

/** A sandbox tells the signal that ended the program inside as shells do. */
export function seenThrough(exit: Exit): Exit {
  const signal = signalNames.get((exit.code ?? 0) - signalCodeBase);
  return signal === undefined ? exit : { ...exit, code: null, signal };
}

const signalCodeBase = 128;

const signalNames: ReadonlyMap<number, NodeJS.Signals> = new Map(
  (["SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGABRT", "SIGBUS", "SIGKILL", "SIGSEGV", "SIGTERM"] as const).map(
    (name) => [constants.signals[name], name],
  ),
);

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in the group.
  }
}
