import type { Clock } from "../clock.ts";

interface Delay {
  /** Monotonic ms. */
  readonly dueAt: number;
  readonly cancel: () => void;
}

/** Keys that wait for their time, each with a timer. Of two times for one key the earlier counts. */
export class Delays {
  readonly #clock: Clock;
  readonly #due: (key: string) => void;
  readonly #delays = new Map<string, Delay>();

  constructor(clock: Clock, due: (key: string) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  add(key: string, ms: number): void {
    const dueAt = this.#clock.monotonic() + ms;
    const known = this.#delays.get(key);
    if (known && known.dueAt <= dueAt) return;
    known?.cancel();
    this.#wait(key, dueAt);
  }

  clear(): void {
    for (const { cancel } of this.#delays.values()) cancel();
    this.#delays.clear();
  }

  #wait(key: string, dueAt: number): void {
    const cancel = this.#clock.after(dueAt - this.#clock.monotonic(), () => this.#ring(key, dueAt));
    this.#delays.set(key, { dueAt, cancel });
  }

  #ring(key: string, dueAt: number): void {
    // A timer may fire early, or have been cut to the longest one there is.
    if (this.#clock.monotonic() < dueAt) {
      this.#wait(key, dueAt);
      return;
    }
    this.#delays.delete(key);
    this.#due(key);
  }
}
