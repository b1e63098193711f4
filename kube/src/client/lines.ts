/** The rest of a stream that ended within a line, or a line beyond the bound. */
export class BrokenLine extends Error {
  override readonly name = "BrokenLine";
}

const newline = 0x0a;

/** Lines of a stream of bytes. They are cut at bytes, so a character that is split over chunks stays whole. */
export class LineDecoder {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes of one line */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the lines that end in this chunk, without the empty ones. @throws BrokenLine */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      this.#keep(chunk.subarray(from, end));
      if (this.#bytes > 0) lines.push(this.#take());
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** @throws BrokenLine when the stream has ended within a line */
  end(): void {
    if (this.#bytes > 0) throw new BrokenLine("the stream was cut in the middle of a line");
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) throw new BrokenLine(`a line is longer than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }

  #take(): string {
    const line = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return line?.toString("utf8") ?? "";
  }
}
