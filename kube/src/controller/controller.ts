import { CopepodError, codeOf } from "@copepod/core/errors";
import { type Clock, pause } from "../clock.ts";
import { ApiError, isAlreadyExists, isConflict } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Source } from "./sources.ts";
import { type QueueObserver, WorkQueue } from "./work-queue.ts";

export interface ReconcileResult {
  /** Look again after this time, even if nothing changes. */
  readonly requeueAfterMs?: number;
}

/**
 * Makes the world match what the key's object wants. It reads the present state (of caches, never of an event), may find
 * that the object is gone, and may be called again at any time: after a failure, a restart, and for no reason. A cache may lag
 * behind this controller's own writes, so children get names that follow from what is wanted: making one twice is then a 409,
 * which brings the key back a little later, and nothing has to remember what it made. A name may be somebody else's for good:
 * see `isControlledBy`.
 * @param signal aborts when its time is up, or when the program must not act any more
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined>;

/** How a reconcile ended, in controller-runtime's words. */
export type ReconcileOutcome = "success" | "error" | "requeue" | "requeue_after";

/** What a controller tells about itself. Its methods must not throw. */
export interface ControllerObserver {
  readonly queue: QueueObserver;
  workers(most: number): void;
  began(): void;
  /** Its signal aborted; it may still end well. */
  timedOut(): void;
  ended(outcome: ReconcileOutcome, seconds: number): void;
}

export interface ControllerOptions {
  /** For logs and metrics. */
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly sources: readonly Source[];
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly observer?: ControllerObserver;
  /** Keys that are reconciled at the same time; 4 without it. */
  readonly workers?: number;
  /** Longest time of one reconcile; `defaultTimeoutMs` without it. */
  readonly timeoutMs?: number;
  /** Every key is looked at again after this time, more or less; `defaultResyncMs` without it. */
  readonly resyncMs?: number;
}

export interface RunOptions {
  /** From then on nothing is begun any more; what runs may end. */
  readonly stop: AbortSignal;
  /** From then on nothing may act any more, such as when the leadership is lost. */
  readonly lost?: AbortSignal;
  /** What runs at the stop is aborted after this time. */
  readonly drainMs: number;
}

const defaultWorkers = 4;
const defaultTimeoutMs = 60_000;
const defaultResyncMs = 10 * 60 * 60_000;
/** Controllers of many programs shall not look at everything at the same moment. */
const resyncJitter = 0.2;
/** A key may lose this often in a row, about ten seconds: by then no cache is behind, and what it wants may be taken for good. */
const racesInARow = 11;
/** An aborted reconcile gets this long to end. */
const abortGraceMs = 5_000;

/** Calls `reconcile` for keys that changed, once per key at a time, and again until it goes well. To be run once. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #running = new Set<AbortController>();

  constructor(options: ControllerOptions) {
    const { clock, observer } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ clock, ...(observer && { observer: observer.queue }) });
  }

  /** For what no cache shows, such as the answer of another system. */
  enqueue(key: string): void {
    this.#queue.add(key);
  }

  /**
   * Works from the moment when every source is complete until `stop` or `lost`.
   * @returns false when a reconcile has not ended although its signal aborted: it may still act
   */
  async run({ stop, lost, drainMs }: RunOptions): Promise<boolean> {
    const { sources, clock } = this.#options;
    const ends = AbortSignal.any(lost ? [stop, lost] : [stop]);
    const unsubscribe = sources.map((source) => source.subscribe((key) => this.#queue.add(key)));
    let [workers, shut]: Promise<unknown>[] = [];
    try {
      await this.#synced(ends);
      if (!ends.aborted) workers = this.#work(ends);
      await aborted(ends);
    } finally {
      for (const end of unsubscribe) end();
      shut = this.#queue.shutDown();
    }
    const drained = Promise.all([shut, workers]).then(() => true);
    await endsWithin(drained, drainMs, clock, lost);
    for (const running of this.#running) running.abort(lost?.aborted ? lost.reason : stop.reason);
    return await endsWithin(drained, abortGraceMs, clock);
  }

  async #synced(ends: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#options.sources.map((source) => source.whenSynced(ends)));
    } catch (error) {
      if (!ends.aborted) throw error;
    }
  }

  #work(ends: AbortSignal): Promise<unknown> {
    const { workers = defaultWorkers, observer } = this.#options;
    observer?.workers(workers);
    this.#addAll();
    return Promise.all([this.#resync(ends), ...Array.from({ length: workers }, () => this.#workOn())]);
  }

  #addAll(): void {
    for (const source of this.#options.sources) for (const key of source.keys()) this.#queue.add(key);
  }

  async #resync(ends: AbortSignal): Promise<void> {
    const { resyncMs = defaultResyncMs, clock, random } = this.#options;
    while (!ends.aborted) {
      await pause(clock, resyncMs * (1 + resyncJitter * (random() - 0.5)), ends);
      if (!ends.aborted) this.#addAll();
    }
  }

  async #workOn(): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#reconcile(key);
      this.#queue.done(key);
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { clock, observer, timeoutMs = defaultTimeoutMs, reconcile, name } = this.#options;
    const running = new AbortController();
    const startedAt = clock.monotonic();
    const cancel = clock.after(timeoutMs, () => {
      observer?.timedOut();
      running.abort(new CopepodError("timeout", `Reconciling ${key} (${name}) took longer than ${timeoutMs} ms.`));
    });
    this.#running.add(running);
    observer?.began();
    const outcome = await Promise.try(reconcile, key, running.signal).then(
      (result) => this.#wentWell(key, result),
      (error: unknown) => this.#wentWrong(key, error),
    );
    cancel();
    this.#running.delete(running);
    observer?.ended(outcome, (clock.monotonic() - startedAt) / 1_000);
  }

  #wentWell(key: string, result: ReconcileResult | undefined): ReconcileOutcome {
    this.#queue.forget(key);
    if (result?.requeueAfterMs === undefined) return "success";
    this.#queue.addAfter(key, result.requeueAfterMs);
    return "requeue_after";
  }

  #wentWrong(key: string, error: unknown): ReconcileOutcome {
    const { log, name } = this.#options;
    const retryInMs = this.#queue.retry(key, error instanceof ApiError ? error.retryAfterMs : 0);
    const fields = { err: error, controller: name, key, failures: this.#queue.failures(key), retryInMs };
    if (isRace(error) && fields.failures <= racesInARow) {
      log.debug(fields, "somebody else wrote first, or leads now, or the cache is behind; looks again");
      return "requeue";
    }
    log.warn(fields, "a reconcile failed and is tried again");
    return "error";
  }
}

/** Which looking again cures as a rule. */
const isRace = (error: unknown): boolean =>
  isConflict(error) || isAlreadyExists(error) || codeOf(error) === "superseded";

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** @returns false when the time is over, or `cut` aborts, and the work has not ended */
async function endsWithin(work: Promise<boolean>, ms: number, clock: Clock, cut?: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const late = pause(clock, ms, AbortSignal.any([over.signal, ...(cut ? [cut] : [])])).then(() => false);
  return await Promise.race([work, late]).finally(() => over.abort());
}
