/** Senders that are remembered; above this the one that spoke longest ago is forgotten. */
const maxSenders = 50_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Token bucket per sender: a burst of a minute's worth, then the rate. */
export class RateLimiter {
  readonly #monotonic: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** @returns whether the sender may send one more message now. */
  admit(sender: string, perMinute: number): boolean {
    const now = this.#monotonic();
    const bucket = this.#buckets.get(sender) ?? { tokens: perMinute, filledAt: now };
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((now - bucket.filledAt) / 60_000) * perMinute);
    bucket.filledAt = now;
    this.#buckets.delete(sender);
    this.#buckets.set(sender, bucket);
    this.#forgetOldest();
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Gives back what a message took that was not new, or could not be written. */
  giveBack(sender: string): void {
    const bucket = this.#buckets.get(sender);
    if (bucket) bucket.tokens += 1;
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= maxSenders) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
