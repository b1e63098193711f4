import { TokenBucket } from "../token-bucket.ts";

/** client-go's, but a key waits for five minutes at most, not for sixteen: somebody waits for what failed. */
const keyBackoff = { firstMs: 5, maxMs: 5 * 60_000 };
/** Of the retries of all keys together. */
const retryRate = { perSecond: 10, burst: 100 };

/** How long a key waits before it is tried again: the longer of its own back-off, which doubles, and the wait for the rate. */
export class RateLimiter {
  readonly #bucket: TokenBucket;
  readonly #failures = new Map<string, number>();

  constructor(monotonic: () => number) {
    this.#bucket = new TokenBucket(retryRate, monotonic);
  }

  /** Counts a failure. @returns ms that the key has to wait */
  waitOf(key: string): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    // 2 ** 31 of any unit is above the cap; more could overflow.
    const backoffMs = Math.min(keyBackoff.maxMs, keyBackoff.firstMs * 2 ** Math.min(failures, 31));
    return Math.max(backoffMs, this.#bucket.take());
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }
}
