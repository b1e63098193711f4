import { type Clock, pause } from "../clock.ts";

export interface Rate {
  /** On average. */
  readonly perSecond: number;
  /** At once, after a rest. */
  readonly burst: number;
}

/** A token bucket. Whoever comes when it is empty waits in the order of coming. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #tokens: number;
  #filledAt: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#filledAt = clock.monotonic();
  }

  /** @returns milliseconds that it took. Who is aborted meanwhile gives the token back. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<number> {
    const waitMs = this.#reserve();
    if (waitMs === 0) return 0;
    await pause(this.#clock, waitMs, signal);
    if (signal.aborted) this.#tokens++;
    signal.throwIfAborted();
    return waitMs;
  }

  /** Takes a token, also one of the future. @returns milliseconds until it is there */
  #reserve(): number {
    const now = this.#clock.monotonic();
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1_000) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / perSecond;
  }
}
