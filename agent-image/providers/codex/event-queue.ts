/** Hands events over in their order, to one reader. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #events: T[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  /** Without effect after the end. */
  push(event: T): void {
    if (!this.#ended) this.#events.push(event);
    this.#wake();
  }

  end(event: T): void {
    this.push(event);
    this.#ended = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (!this.#ended || this.#events.length > 0) {
      const event = this.#events.shift();
      if (event !== undefined) yield event;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
