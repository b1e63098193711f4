import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Child } from "./child.ts";
import { decideRestart, describeExit, maxFailedStarts } from "./restart.ts";

export interface KeepDeps {
  /** Milliseconds that never jump. */
  monotonic(): number;
  /** In [0, 1). */
  random(): number;
  readonly log: Pick<Logger, "info" | "warn">;
}

export interface Program {
  /** For the log: program, and what it serves. */
  readonly name: string;
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
  const done = run();

  async function run(): Promise<void> {
    let failures = 0;
    while (!ending.signal.aborted) {
      const startedAt = deps.monotonic();
      child = program.start();
      program.onStarted?.();
      const exit = await child.exited;
      child = undefined;
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
