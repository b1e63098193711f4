import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { Logger } from "pino";
import type { QueueStore } from "../queue/queue-store.ts";
import type { SessionStarter } from "./session-starter.ts";

export interface WishWriterDeps {
  readonly store: Pick<QueueStore, "wish" | "settle" | "raiseEpoch">;
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
      const written = await this.#writeOnce(session, state, failures);
      failures = written ? 0 : failures + 1;
      if (!written) await this.#pause(failures);
      state.again ||= !written;
    } while (state.again && !this.#deps.signal.aborted);
    this.#running.delete(session);
  }

  async #writeOnce(session: string, state: { again: boolean }, failures: number): Promise<boolean> {
    const { store, starter, log } = this.#deps;
    try {
      const wish = await store.wish(session);
      if (!wish) {
        await starter.dismiss(session);
        return true;
      }
      const epoch = await starter.put(wish);
      if (epoch > wish.epoch) {
        log.warn({ session, epoch, before: wish.epoch }, "the starter knows a greater epoch; the queue follows it");
        // Whatever that epoch stood for, and did, is not in the queue: what is wanted now is another one.
        await store.raiseEpoch(session, wish.wanted ? epoch + 1 : epoch);
        state.again = true;
      } else await store.settle(wish);
      return true;
    } catch (err) {
      log[failures === 0 ? "warn" : "debug"]({ session, err }, "the session starter did not take the wish");
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
