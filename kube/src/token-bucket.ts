export interface Rate {
  /** On average, once the burst is used up. */
  readonly perSecond: number;
  /** At once, after a rest. */
  readonly burst: number;
}

/** Tokens that come at an even rate and are kept up to the burst. */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #monotonic: () => number;
  #tokens: number;
  #filledAt: number;

  constructor(rate: Rate, monotonic: () => number) {
    this.#rate = rate;
    this.#monotonic = monotonic;
    this.#tokens = rate.burst;
    this.#filledAt = monotonic();
  }

  /** Takes a token, also one of the future: the debt is the wait. @returns milliseconds until it is there */
  take(): number {
    const { burst, perSecond } = this.#rate;
    const now = this.#monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1_000) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / perSecond;
  }

  giveBack(): void {
    this.#tokens += 1;
  }
}
