import type { Clock } from "../clock.ts";
import { Delays } from "./delays.ts";
import { RateLimiter } from "./rate-limit.ts";

/** What a queue tells about itself. Its methods must not throw. */
export interface QueueObserver {
  /** Called once; the figures are read whenever somebody asks for metrics. */
  follow(look: () => QueueFigures): void;
  added(): void;
  retried(): void;
  started(waitedMs: number): void;
  finished(workedMs: number): void;
}

export interface QueueFigures {
  /** Keys that wait for a worker. */
  readonly depth: number;
  /** Sum and longest of what the running workers have spent so far, in ms. */
  readonly unfinishedMs: number;
  readonly longestMs: number;
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly observer?: QueueObserver;
}

/** Handled entries at the head of the order after which the array is cut. */
const compactAfter = 1_024;

/**
 * Keys that wait for work. A key stands in it once, however often it was added; no two workers ever have the same key; a
 * key that is added while a worker has it comes again after `done`.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #observer: QueueObserver | undefined;
  readonly #limiter: RateLimiter;
  readonly #delays: Delays;
  /** Keys in their turn, from `#head` on. */
  #order: string[] = [];
  #head = 0;
  /** Keys that need work, and since when: those in `#order`, and those added while they were processed. */
  readonly #dirty = new Map<string, number>();
  /** Keys that workers have, and since when. */
  readonly #processing = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  readonly #drained = Promise.withResolvers<void>();
  #isShut = false;

  constructor({ clock, observer }: QueueOptions) {
    this.#clock = clock;
    this.#observer = observer;
    this.#limiter = new RateLimiter(() => clock.monotonic());
    this.#delays = new Delays(clock, (key) => this.add(key));
    observer?.follow(() => this.figures());
  }

  add(key: string): void {
    if (this.#isShut || this.#dirty.has(key)) return;
    this.#dirty.set(key, this.#clock.monotonic());
    this.#observer?.added();
    if (!this.#processing.has(key)) this.#enqueue(key);
  }

  /** Adds the key once `ms` have passed. Of several times for one key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#isShut) return;
    // Nonsense, such as a time that could not be read, is no reason to wait.
    if (!(ms > 0)) this.add(key);
    else this.#delays.add(key, ms);
  }

  /** Adds the key once its back-off, the limit of all keys and `leastMs` have passed. @returns ms that it waits at most */
  retry(key: string, leastMs = 0): number {
    const waitMs = Math.max(this.#limiter.waitOf(key), leastMs);
    if (!this.#isShut) this.#observer?.retried();
    this.addAfter(key, waitMs);
    return waitMs;
  }

  /** The key went well: its next failure is the first again. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** Failures of the key in a row. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /** Waits for a key; whoever gets one says `done` afterwards. @returns undefined once the queue is shut down */
  take(): Promise<string | undefined> {
    if (this.#isShut) return Promise.resolve(undefined);
    const key = this.#order[this.#head];
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    this.#head += 1;
    if (this.#head >= compactAfter && this.#head * 2 >= this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
    this.#begin(key);
    return Promise.resolve(key);
  }

  done(key: string): void {
    const startedAt = this.#processing.get(key);
    if (startedAt === undefined) return;
    this.#processing.delete(key);
    this.#observer?.finished(this.#clock.monotonic() - startedAt);
    if (this.#dirty.has(key)) this.#enqueue(key);
    if (this.#isShut && this.#processing.size === 0) this.#drained.resolve();
  }

  /**
   * Takes nothing in any more and hands nothing out. What waits is dropped: keys say only where to look, and who comes next
   * looks everywhere. @returns resolves when no worker has a key
   */
  shutDown(): Promise<void> {
    this.#isShut = true;
    this.#dirty.clear();
    this.#order = [];
    this.#head = 0;
    this.#delays.clear();
    for (const resolve of this.#takers.splice(0)) resolve(undefined);
    if (this.#processing.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  figures(): QueueFigures {
    const now = this.#clock.monotonic();
    const running = [...this.#processing.values()].map((startedAt) => now - startedAt);
    return {
      depth: this.#order.length - this.#head,
      unfinishedMs: running.reduce((sum, ms) => sum + ms, 0),
      longestMs: Math.max(0, ...running),
    };
  }

  #enqueue(key: string): void {
    const taker = this.#takers.shift();
    if (taker) {
      this.#begin(key);
      taker(key);
    } else this.#order.push(key);
  }

  #begin(key: string): void {
    const now = this.#clock.monotonic();
    this.#observer?.started(now - (this.#dirty.get(key) ?? now));
    this.#dirty.delete(key);
    this.#processing.set(key, now);
  }
}
