/** What callbacks write and a loop reads, in order. */
export class EventStream<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #end = Promise.withResolvers<void>();
  #ended = false;
  #wake: (() => void) | undefined;

  /** Whether nothing more is taken; what was written before is still read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves at the end. */
  get end(): Promise<void> {
    return this.#end.promise;
  }

  /** Without effect after the end. */
  write(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  close(): void {
    this.#ended = true;
    this.#end.resolve();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
