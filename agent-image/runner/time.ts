import { setTimeout as delay } from "node:timers/promises";

/** Time as the runner uses it, so that tests need not wait. Only durations: what people see as time comes with the rows. */
export interface Time {
  /** Milliseconds that never jump. */
  now(): number;
  /** Resolves after the time, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const realTime: Time = {
  now: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
};
