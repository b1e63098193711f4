import { CopepodError } from "@copepod/core/errors";

interface EndingParts {
  readonly what: string;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly onDispose: () => void;
}

/** When something has to end: by its caller's signal, by its time, or by whoever owns it. */
export class Ending implements Disposable {
  readonly what: string;
  /** What a time-out then tells beside the time. */
  lastError: CopepodError | undefined;
  readonly #controller = new AbortController();
  readonly #callers: AbortSignal | undefined;
  readonly #onDispose: () => void;
  readonly #endsAt: number;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor({ what, signal, timeoutMs, onDispose }: EndingParts) {
    this.what = what;
    this.#callers = signal;
    this.#onDispose = onDispose;
    this.#endsAt = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.end(this.#timeout(timeoutMs)), timeoutMs);
    if (signal?.aborted) this.end(signal.reason);
    signal?.addEventListener("abort", this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get leftMs(): number {
    return this.#endsAt - performance.now();
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Runs a step that knows the signal, or that nothing can end. @throws the reason of the end as soon as it comes */
  async race<T>(step: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", onAbort);
    try {
      return await Promise.race([step(this.signal), promise]);
    } finally {
      this.signal.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#callers?.removeEventListener("abort", this.#onAbort);
    this.#onDispose();
  }

  readonly #onAbort = () => this.end(this.#callers?.reason);

  #timeout(timeoutMs: number): CopepodError {
    const last = this.lastError ? `; the last try: ${this.lastError.message}` : "";
    return new CopepodError("clusterUnavailable", `${this.what}: not done within ${timeoutMs} ms${last}`);
  }
}
