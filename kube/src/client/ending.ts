import { CopepodError } from "@copepod/core/errors";
import type { Clock } from "../clock.ts";

interface EndingParts {
  /** For the sentence of a time-out. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** All that live: whoever owns it can end it through this set. */
  readonly live: Set<Ending>;
}

/** When something has to end: by its caller's signal, by its time, or by whoever owns it. */
export class Ending implements Disposable {
  readonly #controller = new AbortController();
  readonly #parts: EndingParts;
  readonly #startedAt: number;
  readonly #stopTimer: () => void;
  /** What a time-out tells beside the time. */
  lastError: CopepodError | undefined;

  constructor(parts: EndingParts) {
    this.#parts = parts;
    const { clock, signal, timeoutMs, live } = parts;
    live.add(this);
    this.#startedAt = clock.monotonic();
    this.#stopTimer = clock.after(timeoutMs, () => this.end(this.#timeout()));
    if (signal?.aborted) this.#onAbort();
    signal?.addEventListener("abort", this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get leftMs(): number {
    const { clock, timeoutMs } = this.#parts;
    return this.#startedAt + timeoutMs - clock.monotonic();
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** For what can't be told to end: it goes on unheard. @throws the reason of the end as soon as it comes */
  async race<T>(step: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", onAbort);
    if (this.signal.aborted) onAbort();
    try {
      return await Promise.race([step, promise]);
    } finally {
      this.signal.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
    this.#parts.live.delete(this);
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.end(this.#parts.signal?.reason);

  #timeout(): CopepodError {
    const { what, timeoutMs } = this.#parts;
    const last = this.lastError ? `; the last try: ${this.lastError.message}` : "";
    return new CopepodError("clusterUnavailable", `${what}: not done within ${timeoutMs} ms${last}`);
  }
}
