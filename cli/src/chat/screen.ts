import { clearScreenDown, createInterface, cursorTo, type Interface, type Key, moveCursor } from "node:readline";
import type { Io } from "../context.ts";
import type { Paint } from "./render.ts";

const prompt = "> ";
/** Asks the terminal to mark pasted text, so that its line breaks do not send it in parts. */
const bracketedPaste = { on: "\u001b[?2004h", off: "\u001b[?2004l" };

export interface ScreenEvents {
  /** A line, or several that were pasted together. */
  onText(text: string): void;
  /** Ctrl-C. @param typed what stands at the prompt. */
  onInterrupt(typed: string): void;
  /** Ctrl-D, or the end of the input. */
  onEnd(): void;
}

/** A prompt at the bottom, with a line above it for what the agent does; everything else scrolls by above both. */
export class Screen implements Disposable {
  readonly #output: NodeJS.WritableStream;
  readonly #input: NodeJS.ReadableStream;
  readonly #readline: Interface;
  readonly #paint: Paint;
  readonly #onKey = (_text: string | undefined, key: Key | undefined) => this.#key(key?.name);
  #status: string | undefined;
  #pasting = false;
  #pasted: string[] = [];
  #ended = false;

  constructor({ stdin, stdout }: Io, paint: Paint, events: ScreenEvents) {
    this.#input = stdin;
    this.#output = stdout;
    this.#paint = paint;
    this.#readline = createInterface({ input: stdin, output: stdout, terminal: true, prompt });
    // Before readline's own listener: on Enter the status line must be gone before the line is committed.
    stdin.prependListener("keypress", this.#onKey);
    stdout.write(bracketedPaste.on);
    this.#readline.on("line", (line) => this.#line(line, events));
    this.#readline.on("SIGINT", () => events.onInterrupt(this.#readline.line));
    this.#readline.on("close", () => {
      if (this.#ended) return;
      this.#clear();
      this.#restore();
      events.onEnd();
    });
  }

  /** Shows the prompt. */
  open(): void {
    this.#readline.prompt(true);
  }

  /** Prints above the prompt; what is typed stays. */
  print(text: string): void {
    if (this.#ended) {
      this.#output.write(`${text}\n`);
      return;
    }
    this.#clear();
    this.#output.write(`${text}\n`);
    this.#readline.prompt(true);
  }

  /** @param status undefined = nothing is shown. */
  status(status: string | undefined): void {
    if (status === this.#status || this.#ended) return;
    this.#clear();
    this.#status = status;
    this.#setPrompt();
    this.#readline.prompt(true);
  }

  /** Removes what is typed. */
  clearTyped(): void {
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#clear();
    this.#restore();
    this.#readline.close();
  }

  #line(line: string, { onText }: ScreenEvents): void {
    if (this.#pasting) {
      this.#pasted.push(line);
      return;
    }
    const text = [...this.#pasted, line].join("\n");
    this.#pasted = [];
    this.#setPrompt();
    this.#readline.prompt();
    onText(text);
  }

  #key(name: string | undefined): void {
    if (name === "paste-start") this.#pasting = true;
    if (name === "paste-end") this.#pasting = false;
    if ((name !== "return" && name !== "enter") || this.#status === undefined) return;
    this.#clear();
    this.#readline.setPrompt(prompt);
    this.#readline.prompt(true);
  }

  #setPrompt(): void {
    this.#readline.setPrompt(this.#status ? `${this.#paint("dim", this.#status)}\n${prompt}` : prompt);
  }

  /** Removes prompt and status from the terminal, and puts the cursor where they began. */
  #clear(): void {
    const { rows } = this.#readline.getCursorPos();
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    // Readline remembers how far up its prompt began; it has no call to say that the cursor is there already.
    Object.assign(this.#readline, { prevRows: 0 });
  }

  #restore(): void {
    this.#ended = true;
    this.#input.off("keypress", this.#onKey);
    this.#output.write(bracketedPaste.off);
  }
}
