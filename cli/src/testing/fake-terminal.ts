import { PassThrough, Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import type { Io } from "../context.ts";

/** A person's terminal: keys go in, and what was written can be waited for. */
export class FakeTerminal {
  readonly io: Io;
  readonly #keys = Object.assign(new PassThrough(), { isTTY: true as const, setRawMode: () => undefined });
  #written = "";
  #changed = Promise.withResolvers<void>();

  constructor() {
    const output = new Writable({
      write: (chunk, _encoding, done) => {
        this.#written += chunk;
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
        done();
      },
    });
    const stdout = Object.assign(output, { isTTY: true as const, columns: 80, rows: 24 });
    this.io = { stdin: this.#keys, stdout, stderr: stdout };
  }

  type(keys: string): void {
    this.#keys.write(keys);
  }

  /** Everything so far, without what steers a terminal. */
  get text(): string {
    return stripVTControlCharacters(this.#written).replaceAll("\r", "");
  }

  /** Resolves when the text, after so many characters, has it. @returns the length up to now, to go on from. */
  async shows(expected: string | RegExp, from = 0): Promise<number> {
    const has = (text: string) => (typeof expected === "string" ? text.includes(expected) : expected.test(text));
    const late = AbortSignal.timeout(showTimeoutMs);
    while (!has(this.text.slice(from))) {
      if (late.aborted) throw new Error(`${expected} did not come in ${JSON.stringify(this.text.slice(from))}`);
      await Promise.race([this.#changed.promise, untilAborted(late)]);
    }
    return this.text.length;
  }
}

const showTimeoutMs = 5_000;

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
