import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Child } from "./child.ts";
import { decideRestart, describeExit, type Exit, maxFailedStarts } from "./restart.ts";

export interface KeepDeps {
  /** Milliseconds that never jump. */
  monotonic(): number;
  /** In [0, 1). */
  random(): number;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

export interface Program {
  /** For the log: program, and what it serves. */
  readonly name: string;
  /** May throw: that is a failed start like that of a process which ends at once. */
  start(): Child;
  /** Called after each start. */
  onStarted?(): void;
  /** Called with a sentence when too many starts in a row have failed. @returns whether to go on trying. */
  onFailing(reason: string): boolean;
  /** Called after each end that was not asked for, with a sentence. */
  onEnded?(reason: string): void;
}

/** A process that is started again when it ends, until its own end is asked for. */
export interface Kept {
  /** Asks the process to end, kills it when the time is over. Resolves when it is gone for good. */
  end(graceMs: number): Promise<void>;
  /** Ends the grace time of a running `end`. */
  kill(): void;
}

export function keepRunning(program: Program, deps: KeepDeps): Kept {
  const ending = new AbortController();
  let child: Child | undefined;
  const done = run().catch((error: unknown) => deps.log.error({ program: program.name, err: error }, "given up"));

  async function run(): Promise<void> {
    let failures = 0;
    while (!ending.signal.aborted) {
      const startedAt = deps.monotonic();
      const exit = await live();
      if (ending.signal.aborted) {
        deps.log.info({ program: program.name, reason: describeExit(exit) }, "process ended");
        return;
      }
      const livedMs = deps.monotonic() - startedAt;
      const next = decideRestart({ exit, livedMs, failures, random: deps.random() });
      failures = next.failures;
      deps.log.warn(
        { program: program.name, reason: next.reason, failures, delayMs: next.delayMs },
        "process restarts",
      );
      program.onEnded?.(next.reason);
      if (failures >= maxFailedStarts && !program.onFailing(next.reason)) return;
      await delay(next.delayMs, undefined, { signal: ending.signal }).catch(() => {});
    }
  }

  async function live(): Promise<Exit> {
    try {
      child = program.start();
      program.onStarted?.();
      return await child.exited;
    } catch (error) {
      child?.kill();
      return { code: null, signal: null, lastWords: error instanceof Error ? error.message : String(error) };
    } finally {
      child = undefined;
    }
  }

  return {
    async end(graceMs) {
      ending.abort();
      child?.terminate();
      const timer = setTimeout(() => child?.kill(), graceMs);
      await done;
      clearTimeout(timer);
    },
    kill: () => child?.kill(),
  };
}
