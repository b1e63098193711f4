import type { Clock } from "../clock.ts";

interface Entry {
  readonly key: string;
  /** Monotonic ms. */
  readonly dueAt: number;
}

/** Keys that wait for their time: one heap, one timer. Of two times for one key the earlier counts. */
export class Delays {
  readonly #clock: Clock;
  readonly #due: (key: string) => void;
  readonly #times = new Map<string, number>();
  /** A binary heap. An entry whose time is no longer that of its key is stale, and passed over. */
  readonly #heap: Entry[] = [];
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, due: (key: string) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  get size(): number {
    return this.#times.size;
  }

  add(key: string, ms: number): void {
    const dueAt = this.#clock.monotonic() + ms;
    if (dueAt >= (this.#times.get(key) ?? Number.POSITIVE_INFINITY)) return;
    this.#times.set(key, dueAt);
    this.#push({ key, dueAt });
    this.#arm();
  }

  clear(): void {
    this.#times.clear();
    this.#heap.length = 0;
    this.#arm();
  }

  #arm(): void {
    const nextAt = this.#heap[0]?.dueAt ?? Number.POSITIVE_INFINITY;
    if (nextAt === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = nextAt;
    this.#cancelTimer =
      nextAt === Number.POSITIVE_INFINITY
        ? undefined
        : this.#clock.after(nextAt - this.#clock.monotonic(), () => this.#ring());
  }

  #ring(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    const now = this.#clock.monotonic();
    for (let first = this.#heap[0]; first && first.dueAt <= now; first = this.#heap[0]) {
      this.#pop();
      if (this.#times.get(first.key) !== first.dueAt) continue;
      this.#times.delete(first.key);
      this.#due(first.key);
    }
    // A timer may fire early, or have been cut to the longest one there is.
    this.#arm();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#at(parent).dueAt <= entry.dueAt) break;
      heap[at] = this.#at(parent);
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const child = this.#smallerChild(at);
      if (child === undefined || this.#at(child).dueAt >= last.dueAt) break;
      heap[at] = this.#at(child);
      at = child;
    }
    heap[at] = last;
  }

  #smallerChild(at: number): number | undefined {
    const left = 2 * at + 1;
    if (left >= this.#heap.length) return undefined;
    const right = left + 1;
    return right < this.#heap.length && this.#at(right).dueAt < this.#at(left).dueAt ? right : left;
  }

  #at(index: number): Entry {
    const entry = this.#heap[index];
    if (!entry) throw new RangeError(`the heap has no entry ${index}`);
    return entry;
  }
}
