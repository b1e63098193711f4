import { Bytes } from "./bytes.ts";
import { ExchangeFailure } from "./transport.ts";

const newline = 0x0a;

/** Lines of a stream of bytes. They are cut at bytes, so a character that is split over chunks stays whole. */
export class LineDecoder {
  readonly #maxBytes: number;
  readonly #begun = new Bytes();

  /** @param maxBytes of one line */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the lines that end in this chunk, without the empty ones. @throws ExchangeFailure for one that is too long */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      this.#keep(chunk.subarray(from, end));
      if (this.#begun.length > 0) lines.push(this.#begun.take());
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** @throws ExchangeFailure when the stream has ended within a line */
  end(): void {
    if (this.#begun.length > 0) throw broken("the answer was cut in the middle of a line");
  }

  #keep(part: Buffer): void {
    const isTooLong = this.#begun.length + part.length > this.#maxBytes;
    if (isTooLong) throw broken(`a line of the answer is longer than ${this.#maxBytes} bytes`);
    this.#begun.push(part);
  }
}

const broken = (message: string) => new ExchangeFailure(message, { phase: "sent" });
