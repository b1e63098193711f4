import { type Clock, systemClock } from "@copepod/kube/clock";

/** The system's clock, whose timers can be made to be due. */
export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  now(): number {
    return systemClock.now() + this.#skippedMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skippedMs;
  }

  after(ms: number, act: () => void): () => void {
    const fire = () => {
      cancel();
      act();
    };
    const timer = { at: this.monotonic() + ms, fire };
    const cancelTimer = systemClock.after(ms, fire);
    const cancel = () => {
      cancelTimer();
      this.#timers.delete(timer);
    };
    this.#timers.add(timer);
    return cancel;
  }

  /** As if this time had passed. */
  skip(ms: number): void {
    this.#skippedMs += ms;
    for (const { at, fire } of [...this.#timers]) if (at <= this.monotonic()) fire();
  }
}
