import { type Rate, TokenBucket } from "../token-bucket.ts";

/** How long a key waits before it is tried again: the longer of its own back-off and the wait for all keys' rate. */
export interface RateLimits extends Rate {
  /** Wait of a key after its first failure, in ms; doubles with each further one. */
  readonly firstMs: number;
  /** Longest back-off of a key, in ms. */
  readonly maxMs: number;
}

/** client-go's, but at most five minutes, not sixteen: somebody waits for what failed. */
export const defaultRateLimits: RateLimits = { firstMs: 5, maxMs: 5 * 60_000, perSecond: 10, burst: 100 };

export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #bucket: TokenBucket;
  readonly #failures = new Map<string, number>();

  constructor(limits: RateLimits, monotonic: () => number) {
    this.#limits = limits;
    this.#bucket = new TokenBucket(limits, monotonic);
  }

  /** Counts a failure. @returns ms that the key has to wait */
  waitOf(key: string): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    // 2 ** 31 of any unit is above the cap; more could overflow.
    const backoffMs = Math.min(this.#limits.maxMs, this.#limits.firstMs * 2 ** Math.min(failures, 31));
    return Math.max(backoffMs, this.#bucket.take());
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }
}
