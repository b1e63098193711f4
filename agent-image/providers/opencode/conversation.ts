import type { PromptPart, ProviderEvent } from "../provider.ts";
import type { Signal } from "./signals.ts";

/** How long a command of OpenCode may run when the model does not say. */
const commandMs = 120_000;

interface Said {
  readonly part: PromptPart;
  /** Id of the message that it became; undefined until it is accepted. */
  message: string | undefined;
}

interface Answer {
  /** Id of the last message that the model was shown. */
  readonly parent: string;
  /** Written by OpenCode for itself, when the context becomes too long. */
  readonly summary: boolean;
  /** It has come to its end, good or bad. */
  readonly done: boolean;
  readonly texts: Map<string, string>;
}

/** What has been said in one turn, by us and by the model. */
export class Conversation {
  readonly #unread = new Map<string, Said>();
  readonly #answers = new Map<string, Answer>();
  readonly #tools = new Map<string, Extract<ProviderEvent, { kind: "tool" }>>();
  /** Id of the first message of this turn. */
  #first: string | undefined;

  /** Answers that the model was asked for. */
  get answers(): number {
    return this.#answers.size;
  }

  /** The newest answer has come to its end. */
  get isAnswered(): boolean {
    return [...this.#answers.values()].at(-1)?.done ?? false;
  }

  /** What has not reached the model: ids of the messages, as far as they are known. */
  get unread(): readonly (string | undefined)[] {
    return [...this.#unread.values()].map(({ message }) => message);
  }

  /** All that the model has written for others, also between its tool calls: a block that it wrote there counts, too. */
  get text(): string {
    const answers = [...this.#answers.values()].filter(({ summary }) => !summary);
    return answers.flatMap(({ texts }) => [...texts.values()]).join("\n");
  }

  /** A tool that runs stays named, so that its own time-out keeps counting. */
  get signOfLife(): ProviderEvent {
    return [...this.#tools.values()].at(-1) ?? { kind: "thinking" };
  }

  /** @param id of the part, which its messages will carry */
  say(id: string, part: PromptPart): void {
    this.#unread.set(id, { part, message: undefined });
  }

  takeBack(id: string): void {
    this.#unread.delete(id);
  }

  hear(signal: Signal): ProviderEvent[] {
    return [...this.#read(signal), this.signOfLife];
  }

  #read(signal: Signal): ProviderEvent[] {
    switch (signal.kind) {
      case "accepted": {
        const said = this.#unread.get(signal.part);
        if (said) said.message = signal.message;
        if (said) this.#first ??= signal.message;
        return [];
      }
      case "answering":
        this.#onAnswer(signal);
        return [];
      case "step":
        return this.#consume(this.#answers.get(signal.message));
      case "text":
        this.#answers.get(signal.message)?.texts.set(signal.part, signal.text);
        return [];
      case "tool":
        this.#onTool(signal);
        return [];
      case "retry":
      case "error":
      case "idle":
      case "life":
        return [];
    }
  }

  /** Ids of messages grow: an answer to an older one belongs to the turn before. */
  #onAnswer({ message, parent, summary, done }: Extract<Signal, { kind: "answering" }>): void {
    if (this.#first === undefined || parent < this.#first) return;
    const texts = this.#answers.get(message)?.texts ?? new Map<string, string>();
    this.#answers.set(message, { parent, summary, done, texts });
  }

  /** Ids of messages grow, so what is not newer than the answer's parent was shown with it. */
  #consume(answer: Answer | undefined): ProviderEvent[] {
    if (!answer || answer.summary) return [];
    const read = [...this.#unread].filter(([, { message }]) => message !== undefined && message <= answer.parent);
    for (const [id] of read) this.#unread.delete(id);
    return read.map(([, { part }]) => ({ kind: "consumed", seqs: part.seqs }));
  }

  #onTool({ call, name, running, timeoutMs }: Extract<Signal, { kind: "tool" }>): void {
    if (running) this.#tools.set(call, { kind: "tool", name, timeoutMs: timeoutMs ?? commandMs });
    else this.#tools.delete(call);
  }
}
