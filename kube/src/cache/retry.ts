import { ApiError, isExpired } from "../errors.ts";
import { answeredMaxMs, refusedMs, retryBackoff, startingMaxMs, startingMs } from "./limits.ts";

export interface RetryDeps {
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How long to wait before the API server is asked again. Drawn in full, so that many clients do not come back together. */
export class Retry {
  readonly #deps: RetryDeps;
  #failures = 0;
  #hasExpired = false;
  #refusedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RetryDeps) {
    this.#deps = deps;
  }

  /** The server serves: the next failure is the first. */
  served(): void {
    this.#failures = 0;
    this.#hasExpired = false;
    this.#refusedAt = Number.NEGATIVE_INFINITY;
  }

  /** Counts a failure. @returns ms to wait */
  waitAfter(error: unknown): number {
    const { monotonic, random } = this.#deps;
    if (isRefused(error)) {
      this.#refusedAt = monotonic();
      return (refusedMs / 2) * (1 + random());
    }
    if (isExpired(error) && !this.#hasExpired) {
      // A new list is all that is missing, unless one has just been in vain.
      this.#hasExpired = true;
      return 0;
    }
    this.#failures += 1;
    return Math.max(askedFor(error), random() * Math.min(this.#maxMs(error), grown(this.#failures)));
  }

  #maxMs(error: unknown): number {
    if (this.#deps.monotonic() - this.#refusedAt < startingMs) return startingMaxMs;
    return error instanceof ApiError && error.status >= 500 ? answeredMaxMs : retryBackoff.maxMs;
  }
}

const grown = (failures: number): number => retryBackoff.firstMs * 2 ** Math.min(failures - 1, 30);

const askedFor = (error: unknown): number => (error instanceof ApiError && error.retryAfterMs) || 0;

/** Nobody listens at the port. The error is wrapped more than once; that of a name with several addresses has parts. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRefused);
  return ("code" in error && error.code === "ECONNREFUSED") || isRefused(error.cause);
}
