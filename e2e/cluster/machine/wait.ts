import { setTimeout } from "node:timers/promises";
import { CopepodError } from "@copepod/core/errors";

const firstLookMs = 10;
const maxLookMs = 250;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What to do when it does not come: the end of the error's sentence. */
  readonly hint?: string | (() => Promise<string>);
}

/**
 * Looks again and again, less often with time. What `look` throws ends the wait.
 * @returns the first value that is not undefined or false
 * @throws CopepodError `timeout`
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs, signal, hint }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let lookMs = firstLookMs; ; lookMs = Math.min(maxLookMs, lookMs * 1.5)) {
    signal.throwIfAborted();
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) break;
    await setTimeout(lookMs, undefined, { signal });
  }
  const advice = typeof hint === "function" ? await hint() : hint;
  throw new CopepodError(
    "timeout",
    `waited ${timeoutMs / 1_000} s in vain for ${what}${advice === undefined ? "" : `; ${advice}`}`,
  );
}
