import type { Clock } from "../clock.ts";

interface Entry {
  readonly key: string;
  /** Monotonic ms. */
  readonly dueAt: number;
}

/** Beside as many as there are keys, so many stale entries may stand in the heap. */
const staleEntries = 64;

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

  /** Entries that it holds, stale ones with them. */
  get size(): number {
    return this.#heap.length;
  }

  add(key: string, ms: number): void {
    const dueAt = this.#clock.monotonic() + ms;
    if (!(dueAt < (this.#times.get(key) ?? Number.POSITIVE_INFINITY))) return;
    this.#times.set(key, dueAt);
    this.#push({ key, dueAt });
    if (this.#heap.length > 2 * this.#times.size + staleEntries) this.#rebuild();
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

  /** In their order, which is a heap too. */
  #rebuild(): void {
    const entries = [...this.#times].map(([key, dueAt]) => ({ key, dueAt }));
    this.#heap.splice(0, this.#heap.length, ...entries.sort((a, b) => a.dueAt - b.dueAt));
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    for (let up = (at - 1) >> 1; at > 0 && this.#dueAt(up) > entry.dueAt; up = (at - 1) >> 1) {
      this.#swap(at, up);
      at = up;
    }
  }

  /** Removes the first one. */
  #pop(): void {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    heap.pop();
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const down = this.#dueAt(right) < this.#dueAt(left) ? right : left;
      if (this.#dueAt(down) >= this.#dueAt(at)) return;
      this.#swap(at, down);
      at = down;
    }
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (!first || !second) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
  }

  /** Never for what is beyond the end. */
  #dueAt(index: number): number {
    return this.#heap[index]?.dueAt ?? Number.POSITIVE_INFINITY;
  }
}
