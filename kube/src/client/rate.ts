import { type Clock, pause } from "../clock.ts";
import { type Rate, TokenBucket } from "../token-bucket.ts";

/** Calls per time. Whoever comes too early waits in the order of coming. */
export class RateLimit {
  readonly #bucket: TokenBucket;
  readonly #clock: Clock;

  constructor(rate: Rate, clock: Clock) {
    this.#bucket = new TokenBucket(rate, () => clock.monotonic());
    this.#clock = clock;
  }

  /** @returns milliseconds that it took. Who is aborted meanwhile gives the token back. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<number> {
    const waitMs = this.#bucket.take();
    if (waitMs === 0) return 0;
    await pause(this.#clock, waitMs, signal);
    if (signal.aborted) this.#bucket.giveBack();
    signal.throwIfAborted();
    return waitMs;
  }
}
