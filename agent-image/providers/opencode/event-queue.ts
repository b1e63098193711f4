import type { ProviderEvent } from "../provider.ts";

/** Events of one turn: written as they happen, read by one reader. */
export class EventQueue implements AsyncIterable<ProviderEvent> {
  readonly #events: ProviderEvent[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  get ended(): boolean {
    return this.#ended;
  }

  /** A result or a failure is the last one; what comes later is dropped. */
  write(event: ProviderEvent): void {
    if (this.#ended) return;
    this.#ended = event.kind === "result" || event.kind === "failed";
    this.#events.push(event);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProviderEvent> {
    while (!this.#ended || this.#events.length > 0) {
      const event = this.#events.shift();
      if (event) yield event;
      else await this.#written();
    }
  }

  #written(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
