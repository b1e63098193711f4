/** Text that comes in parts. They are copied into one piece, since a part that is kept costs a hundred bytes beside its own. */
export class Bytes {
  #space = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(part: Buffer): void {
    const length = this.#length + part.length;
    if (length > this.#space.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#length));
      this.#space.copy(grown, 0, 0, this.#length);
      this.#space = grown;
    }
    part.copy(this.#space, this.#length);
    this.#length = length;
  }

  /** @returns all of it, and starts anew */
  take(): string {
    const text = this.#space.toString("utf8", 0, this.#length);
    this.#space = Buffer.alloc(0);
    this.#length = 0;
    return text;
  }
}
