import type { Time } from "../../runner/time.ts";
import type { PromptPart, ProviderDeps, ProviderEvent, ProviderFactory, Turn, TurnInput } from "../provider.ts";
import { describeFiles, writeDemoFile } from "./files.ts";
import { type DemoAnswer, helpText, introduction, parseCommand, quote, toOutput } from "./language.ts";
import { readNotes, writeNote } from "./notes.ts";
import { type PromptMessage, parsePrompt } from "./prompt.ts";

type Failed = Extract<ProviderEvent, { kind: "failed" }>;

/**
 * The provider without a model: follows a few commands, repeats everything else, and says what it is. Deterministic,
 * and it runs no program.
 */
export const createDemo: ProviderFactory = async (deps) => {
  let last: Turn | undefined;
  return {
    name: "demo",
    start(input) {
      last = new DemoTurn(input, deps);
      return last;
    },
    close: async () => await last?.interrupt(),
  };
};

class DemoTurn implements Turn {
  readonly events: AsyncIterable<ProviderEvent>;
  readonly #deps: ProviderDeps;
  readonly #time: Time;
  readonly #interrupt = new AbortController();
  /** Parts that came and are not consumed, then messages of consumed ones that are not answered. */
  readonly #parts: PromptPart[];
  readonly #messages: PromptMessage[] = [];
  readonly #answers: DemoAnswer[] = [];
  readonly #turns: number;
  #pushed = new AbortController();

  constructor(input: TurnInput, deps: ProviderDeps) {
    this.#deps = deps;
    this.#time = deps.time;
    this.#parts = [input.prompt];
    this.#turns = toTurns(input.continuation) + 1;
    this.events = this.#run();
  }

  push(part: PromptPart): void {
    this.#parts.push(part);
    this.#pushed.abort();
  }

  async interrupt(): Promise<void> {
    this.#interrupt.abort();
  }

  async *#run(): AsyncGenerator<ProviderEvent> {
    yield* this.#consume();
    for (let message = this.#messages.shift(); message; message = this.#messages.shift()) {
      yield { kind: "thinking" };
      const failed = yield* this.#answer(message);
      if (this.#interrupt.signal.aborted)
        yield { kind: "failed", class: "transient", message: "The turn was stopped." };
      else if (failed) yield failed;
      if (failed || this.#interrupt.signal.aborted) return;
      yield* this.#consume();
    }
    yield { kind: "continuation", value: String(this.#turns) };
    yield { kind: "result", text: toOutput(this.#answers) };
  }

  *#consume(): Generator<ProviderEvent> {
    for (let part = this.#parts.shift(); part; part = this.#parts.shift()) {
      this.#messages.push(...parsePrompt(part.text));
      yield { kind: "consumed", seqs: part.seqs };
    }
  }

  async *#answer({ from, text, files }: PromptMessage): AsyncGenerator<ProviderEvent, Failed | undefined> {
    if (files.length > 0) return this.#say(from, text, await describeFiles(files));
    const command = parseCommand(text);
    switch (command.kind) {
      case "help":
        return this.#say(from, text, helpText);
      case "count":
        return this.#say(from, text, `this is turn ${this.#turns} of our conversation.`);
      case "recall":
        return this.#say(from, text, await this.#recall());
      case "remember":
        await writeNote(this.#deps.agentDir, command.text);
        return this.#say(from, text, "I wrote it down.");
      case "send":
        return this.#say(from, text, await this.#send(from, command.text));
      case "file":
        return this.#say(from, text, await this.#file(from, command.text));
      case "wait":
        yield* this.#wait(command.seconds * 1_000);
        return this.#say(from, text, `I have waited for ${command.seconds} s.`);
      case "fail":
        return { kind: "failed", class: command.class, message: `The demo agent was asked to fail: ${command.class}.` };
      case "talk":
        return this.#say(from, text, undefined);
    }
  }

  /** Names the message that is answered, so that several answers in one message can be told apart. */
  #say(to: string, said: string, answer: string | undefined): undefined {
    const text = answer === undefined ? `You said: ${quote(said)}` : `${quote(said)}: ${answer}`;
    const first = this.#turns === 1 && this.#answers.length === 0;
    this.#answers.push({ to, text: first ? `${introduction}\n\n${text}` : text });
  }

  async #recall(): Promise<string> {
    const notes = await readNotes(this.#deps.agentDir);
    return notes.length === 0 ? "I remember nothing yet." : ["I remember:", ...notes.map(quote)].join("\n");
  }

  async #send(to: string, text: string): Promise<string> {
    return await sent(this.#deps.tools.sendMessage(to, quote(text)));
  }

  async #file(to: string, text: string): Promise<string> {
    return await sent(this.#deps.tools.sendFile(to, await writeDemoFile(this.#deps.workspace, text), undefined));
  }

  async *#wait(ms: number): AsyncGenerator<ProviderEvent> {
    const until = this.#time.now() + ms;
    yield { kind: "tool", name: "wait", timeoutMs: ms };
    while (this.#time.now() < until && !this.#interrupt.signal.aborted) {
      this.#pushed = new AbortController();
      yield* this.#consume();
      const wake = AbortSignal.any([this.#interrupt.signal, this.#pushed.signal]);
      await this.#time.sleep(Math.max(0, until - this.#time.now()), wake);
    }
  }
}

async function sent(sending: Promise<{ seq: number }>): Promise<string> {
  try {
    const { seq } = await sending;
    return `sent as message ${seq}.`;
  } catch (error) {
    return `it could not be sent: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The continuation of the demo is the number of turns so far. */
function toTurns(continuation: string | undefined): number {
  const turns = Number(continuation);
  return Number.isSafeInteger(turns) && turns > 0 ? turns : 0;
}
