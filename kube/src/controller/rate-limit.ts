/** How long a key waits before it is tried again. The defaults are client-go's, with a lower cap. */
export interface RateLimits {
  /** Wait of a key after its first failure, in ms; doubles with each further one. */
  readonly firstMs: number;
  /** Longest wait of a key, in ms. */
  readonly maxMs: number;
  /** Retries per second of all keys together, once the burst is used up. */
  readonly perSecond: number;
  readonly burst: number;
}

/** At most five minutes, not client-go's sixteen: somebody waits for what failed. */
export const defaultRateLimits: RateLimits = { firstMs: 5, maxMs: 5 * 60_000, perSecond: 10, burst: 100 };

/** Two limits, and the longer wait counts: a back-off per key, and one token bucket for all. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #monotonic: () => number;
  readonly #failures = new Map<string, number>();
  #tokens: number;
  #filledAt: number;

  constructor(limits: RateLimits, monotonic: () => number) {
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#tokens = limits.burst;
    this.#filledAt = monotonic();
  }

  /** Counts a failure. @returns ms that the key has to wait */
  waitOf(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    // 2 ** 31 of any unit is above the cap; more could overflow.
    const backoffMs = Math.min(this.#limits.maxMs, this.#limits.firstMs * 2 ** Math.min(failures, 31));
    return Math.max(backoffMs, this.#reserve());
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Takes a token, also one that is not there yet: the debt is the wait. */
  #reserve(): number {
    const { burst, perSecond } = this.#limits;
    const now = this.#monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1_000) * perSecond) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1_000;
  }
}
