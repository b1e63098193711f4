import { setTimeout as delay } from "node:timers/promises";

export interface Rate {
  /** On average. */
  readonly perSecond: number;
  /** At once, after a rest. */
  readonly burst: number;
}

/** A token bucket. Whoever comes when it is empty waits in the order of coming. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
    this.#tokens = rate.burst;
    this.#filledAt = now();
  }

  /** Takes a token, also one of the future. @returns milliseconds until it is there */
  reserve(): number {
    const now = this.#now();
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1_000) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / perSecond;
  }

  /** @returns milliseconds that it took. A token that was not waited for goes back. */
  async take(signal: AbortSignal): Promise<number> {
    const waitMs = this.reserve();
    if (waitMs === 0) return 0;
    try {
      await delay(waitMs, undefined, { signal });
    } catch (error) {
      this.#tokens++;
      throw error;
    }
    return waitMs;
  }
}
