import { backoffMs, startBackoff } from "@copepod/core/backoff";

/** A process that lived this long had started; its end is no failed start. */
const startedAfterMs = 10_000;
/** After so many failed starts in a row, somebody has to be told. */
export const maxFailedStarts = 5;

/** How a process ended. Neither code nor signal: it never came to life. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lastWords: string | undefined;
}

interface Ended {
  readonly exit: Exit;
  readonly livedMs: number;
  /** Failed starts in a row before this one. */
  readonly failures: number;
  /** In [0, 1). */
  readonly random: number;
}

export interface Restart {
  readonly failures: number;
  readonly delayMs: number;
  /** Why the process ended, in one sentence. */
  readonly reason: string;
}

/**
 * What follows the end of a process that should run. One that was killed from outside (by the kernel for its memory, or
 * by a person) has not failed to start, however young it was: its own doing is what counts.
 */
export function decideRestart({ exit, livedMs, failures, random }: Ended): Restart {
  const started = livedMs >= startedAfterMs || wasKilled(exit);
  const now = started ? 0 : failures + 1;
  return { failures: now, delayMs: backoffMs(startBackoff, Math.max(1, now), random), reason: describeExit(exit) };
}

export function describeExit(exit: Exit): string {
  const how = howEnded(exit);
  return exit.lastWords && !wasKilled(exit) ? `${how}: ${exit.lastWords}` : how;
}

function howEnded({ code, signal }: Exit): string {
  if (signal) return `ended by ${signal}`;
  return code === null ? "could not be started" : `ended with exit code ${code}`;
}

/** Its last words then have nothing to do with its end. */
const wasKilled = ({ signal }: Exit): boolean => signal === "SIGKILL" || signal === "SIGTERM";
