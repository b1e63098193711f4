import type { Say } from "../cluster.ts";

/** Tells how far a work of several steps is, and how long it may still take. */
export class Progress<Step extends string> {
  readonly #what: string;
  /** Usual durations in seconds. */
  readonly #steps: Readonly<Record<Step, number>>;
  readonly #say: Say;
  readonly #now: () => number;
  /** What the steps that are done should have taken, and what they took. */
  #done = { usualSeconds: 0, tookSeconds: 0, count: 0 };

  constructor(
    what: string,
    steps: Readonly<Record<Step, number>>,
    say: Say,
    now: () => number = () => performance.now(),
  ) {
    this.#what = what;
    this.#steps = steps;
    this.#say = say;
    this.#now = now;
  }

  async step<T>(name: Step, work: () => Promise<T>): Promise<T> {
    const durations = Object.values<number>(this.#steps);
    const left = durations.reduce((sum, seconds) => sum + seconds, 0) - this.#done.usualSeconds;
    const pace = this.#done.usualSeconds === 0 ? 1 : this.#done.tookSeconds / this.#done.usualSeconds;
    const count = `${this.#done.count + 1} of ${durations.length}`;
    this.#say(`${this.#what}: ${name} (${count}, about ${Math.ceil(left * pace)} s left)`);
    const begun = this.#now();
    const result = await work();
    this.#done = {
      usualSeconds: this.#done.usualSeconds + this.#steps[name],
      tookSeconds: this.#done.tookSeconds + (this.#now() - begun) / 1_000,
      count: this.#done.count + 1,
    };
    return result;
  }
}
