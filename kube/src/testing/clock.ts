import type { Clock } from "../clock.ts";

interface Timer {
  readonly dueAt: number;
  readonly act: () => void;
}

/** Time that passes only when a test says so. */
export class TestClock implements Clock {
  #monotonic = 0;
  #wall = Date.UTC(2030, 0, 1);
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#wall;
  readonly monotonic = (): number => this.#monotonic;

  readonly after = (ms: number, act: () => void): (() => void) => {
    const timer = { dueAt: this.#monotonic + Math.max(ms, 0), act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Timers that become due are called in their order, each at its own time. */
  pass(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ dueAt }) => dueAt <= end).sort((a, b) => a.dueAt - b.dueAt)[0];
      if (!due) break;
      this.#advance(due.dueAt);
      this.#timers.delete(due);
      due.act();
    }
    this.#advance(end);
  }

  /** Time goes by and no timer fires: a process that stands still. */
  standStill(ms: number): void {
    this.#advance(this.#monotonic + ms);
  }

  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  /** Passes time step by step: what awaits between two timers gets its turn. */
  async elapse(ms: number, stepMs = 10): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await new Promise(setImmediate);
      this.pass(stepMs);
    }
    await new Promise(setImmediate);
  }

  /** Passes time until the promise settles. */
  async run<T>(promise: Promise<T>, stepMs = 1, mostMs = 600_000): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    for (let passed = 0; !settled && passed < mostMs; passed += stepMs) {
      await new Promise(setImmediate);
      if (!settled) this.pass(stepMs);
    }
    return await watched;
  }

  #advance(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}
