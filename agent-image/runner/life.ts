import type { EndReason } from "@copepod/core/lifetime";

/** Why the runner ends: asked by its parent or the router, or because the session is no longer its own. */
export type LifeEnd = EndReason | "drain" | "superseded" | "unauthorized" | "fault";

/** The two ends of a runner's life: first it takes nothing more, then it leaves what still runs. */
export class Life {
  readonly #draining = new AbortController();
  readonly #ended = new AbortController();

  /** Aborts when no row may be taken any more. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Aborts when everything has to stop at once. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Lets the running turn come to its end. */
  drain(reason: LifeEnd): void {
    this.#draining.abort(reason);
  }

  /** Leaves the running turn; its rows come again. */
  end(reason: LifeEnd): void {
    this.#draining.abort(reason);
    this.#ended.abort(reason);
  }
}
