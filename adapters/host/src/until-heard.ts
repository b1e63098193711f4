import { pause } from "@copepod/adapter-kit/pause";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { codeOf, type ErrorCode } from "@copepod/core/errors";

/** What passes by itself: the router restarts, does not know this process yet, or can't write just now. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "podUnknown",
  "unauthorized",
  "diskFull",
  "rateLimited",
  "timeout",
  "internal",
]);

export const isPassing = (error: unknown): boolean => passing.has(codeOf(error));

/**
 * Repeats a call that may be repeated until the router has answered it. Rejects with what does not pass, and with the
 * signal's reason when it aborts first.
 */
export async function untilHeard<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { signal, random }: { readonly signal: AbortSignal; readonly random: () => number },
): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      return await call(signal);
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
    }
    await pause(backoffMs(reconnectBackoff, failures, random()), signal);
  }
}
