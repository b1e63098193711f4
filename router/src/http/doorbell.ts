/** Wakes long polls: whoever waits on a key resolves when the key is rung. Holds nothing when nobody waits. */
export class Doorbell {
  readonly #waiting = new Map<string, Set<() => void>>();

  ring(...keys: readonly string[]): void {
    for (const key of keys) {
      const listeners = this.#waiting.get(key);
      if (!listeners) continue;
      for (const listener of [...listeners]) listener();
    }
  }

  /** Listens from now on, so that a ring between a look into the queue and the wait is not missed. */
  listen(...keys: readonly string[]): Listening {
    let rung = false;
    let wake: (() => void) | undefined;
    const listener = () => {
      rung = true;
      wake?.();
    };
    for (const key of keys) this.#add(key, listener);
    return {
      wait: (ms, signal) =>
        new Promise<void>((resolve) => {
          if (rung || ms <= 0 || signal?.aborted) return resolve();
          const timer = setTimeout(() => wake?.(), ms);
          const stop = () => wake?.();
          wake = () => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", stop);
            wake = undefined;
            resolve();
          };
          signal?.addEventListener("abort", stop, { once: true });
        }),
      [Symbol.dispose]: () => {
        for (const key of keys) this.#remove(key, listener);
      },
    };
  }

  #add(key: string, listener: () => void): void {
    const listeners = this.#waiting.get(key);
    if (listeners) listeners.add(listener);
    else this.#waiting.set(key, new Set([listener]));
  }

  #remove(key: string, listener: () => void): void {
    const listeners = this.#waiting.get(key);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#waiting.delete(key);
  }
}

interface Listening extends Disposable {
  /** Resolves when rung since `listen`, after the time, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/** The keys of the doorbell. */
export const bells = {
  /** Rows in for a session, or a reason for its runner to look again. */
  session: (session: string) => `session ${session}`,
  /** Rows out for a channel, or a change of its typing list. */
  channel: (channel: string) => `channel ${channel}`,
  /** Something that a client of a conversation sees. */
  conversation: (id: string) => `conversation ${id}`,
};

export interface LongPoll<T> {
  readonly doorbell: Doorbell;
  readonly keys: readonly string[];
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Looks once. `ready` ends the poll; `nextInMs` is when another look is worth it without a ring. */
  readonly look: () => Promise<{ readonly value: T; readonly ready: boolean; readonly nextInMs?: number | undefined }>;
  readonly monotonic: () => number;
}

/** Looks, and looks again at each ring, until there is something or the time is over; then answers what it saw last. */
export async function longPoll<T>({ doorbell, keys, waitMs, signal, look, monotonic }: LongPoll<T>): Promise<T> {
  const deadline = monotonic() + waitMs;
  for (;;) {
    using listening = doorbell.listen(...keys);
    const { value, ready, nextInMs } = await look();
    const left = deadline - monotonic();
    if (ready || left <= 0 || signal.aborted) return value;
    await listening.wait(Math.min(left, Math.max(nextInMs ?? left, minLookIntervalMs)), signal);
  }
}

/** A row that is due "now" by a clock that lags must not turn a long poll into a busy loop. */
const minLookIntervalMs = 5;
