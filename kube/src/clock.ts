/** The machine's clocks and its timer: what depends on time receives one. */
export interface Clock {
  /** UTC milliseconds; may jump. Only for what people read. */
  now(): number;
  /** Milliseconds that never jump. They may stand still while the whole machine sleeps. */
  monotonic(): number;
  /** Calls `act` once, after `ms`. @returns what cancels it */
  after(ms: number, act: () => void): () => void;
}

/** Longest time that a timer takes; Node fires one that is longer at once. */
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, Math.min(Math.max(ms, 0), maxTimerMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or at once when the signal aborts: look at the signal afterwards. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** As the API server wants times of Leases and Events: six digits, or it refuses them. */
export const microTime = (utcMs: number): string => new Date(utcMs).toISOString().replace("Z", "000Z");
