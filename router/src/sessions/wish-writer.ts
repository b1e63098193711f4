import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { Logger } from "pino";
import type { QueueStore } from "../queue/queue-store.ts";
import type { SessionStarter } from "./session-starter.ts";

export interface WishWriterDeps {
  readonly store: Pick<QueueStore, "wish" | "settle">;
  readonly starter: SessionStarter;
  readonly random: () => number;
  readonly log: Logger;
  /** Ends all writing. */
  readonly signal: AbortSignal;
}

/**
 * One writer per session tells the starter the row's present state. A poke during a write makes it write again, so
 * that the last word is always the row's.
 */
export class WishWriter {
  readonly #deps: WishWriterDeps;
  readonly #running = new Map<string, { again: boolean }>();

  constructor(deps: WishWriterDeps) {
    this.#deps = deps;
  }

  poke(session: string): void {
    const running = this.#running.get(session);
    if (running) {
      running.again = true;
      return;
    }
    const state = { again: false };
    this.#running.set(session, state);
    void this.#write(session, state);
  }

  async #write(session: string, state: { again: boolean }): Promise<void> {
    let failures = 0;
    do {
      state.again = false;
      const written = await this.#writeOnce(session);
      failures = written ? 0 : failures + 1;
      if (!written) await this.#pause(failures);
      state.again ||= !written;
    } while (state.again && !this.#deps.signal.aborted);
    this.#running.delete(session);
  }

  async #writeOnce(session: string): Promise<boolean> {
    const { store, starter, log } = this.#deps;
    try {
      const wish = await store.wish(session);
      if (!wish) return true;
      await starter.put(wish);
      await store.settle(wish);
      return true;
    } catch (err) {
      log.debug({ session, err }, "the session starter did not take the wish");
      return false;
    }
  }

  async #pause(failures: number): Promise<void> {
    const { signal, random } = this.#deps;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, backoffMs(reconnectBackoff, failures, random()));
      signal.addEventListener("abort", done, { once: true });
    });
  }
}
