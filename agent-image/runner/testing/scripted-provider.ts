import type {
  PromptPart,
  ProviderDeps,
  ProviderEvent,
  ProviderFactory,
  Tools,
  TurnInput,
} from "../../providers/provider.ts";

/** What a script sees of its turn. */
export interface ScriptTurn {
  readonly input: TurnInput;
  readonly tools: Tools;
  readonly interrupted: AbortSignal;
  /** The next part that is pushed. */
  pushed(): Promise<PromptPart>;
}

export type Script = (turn: ScriptTurn) => AsyncIterable<ProviderEvent>;

export interface ScriptedProvider {
  readonly factory: ProviderFactory;
  /** Inputs of the turns so far. */
  readonly inputs: TurnInput[];
  /** Parts that were pushed so far. */
  readonly parts: PromptPart[];
  readonly closed: () => number;
  /** Resolves when so many turns have begun. */
  started(turns: number): Promise<void>;
}

/** A provider whose turns follow scripts, one after the other; the last one is repeated. */
export function scriptedProvider(name: string, ...scripts: readonly Script[]): ScriptedProvider {
  const inputs: TurnInput[] = [];
  const parts: PromptPart[] = [];
  let closed = 0;
  let begun = Promise.withResolvers<void>();
  const factory = async ({ tools }: ProviderDeps) => ({
    name,
    start(input: TurnInput) {
      const script = scripts[Math.min(inputs.length, scripts.length - 1)];
      if (!script) throw new Error("the test has no script for this turn");
      inputs.push(input);
      begun.resolve();
      begun = Promise.withResolvers();
      const interrupt = new AbortController();
      const inbox = new Inbox();
      return {
        events: script({ input, tools, interrupted: interrupt.signal, pushed: () => inbox.next() }),
        push(part: PromptPart) {
          parts.push(part);
          inbox.push(part);
        },
        interrupt: async () => interrupt.abort(),
      };
    },
    close: async () => {
      closed++;
    },
  });
  const started = async (turns: number): Promise<void> => {
    while (inputs.length < turns) await begun.promise;
  };
  return { factory, inputs, parts, closed: () => closed, started };
}

/** Consumes the prompt and answers with a text. */
export const answering = (text: string): Script =>
  async function* ({ input }) {
    yield { kind: "consumed", seqs: input.prompt.seqs };
    yield { kind: "result", text };
  };

export const failing = (failed: Omit<Extract<ProviderEvent, { kind: "failed" }>, "kind">): Script =>
  async function* ({ input }) {
    yield { kind: "consumed", seqs: input.prompt.seqs };
    yield { kind: "failed", ...failed };
  };

/** Consumes the prompt, works until it is interrupted, and ends as harnesses do then. */
export const endless: Script = async function* ({ input, interrupted }) {
  yield { kind: "consumed", seqs: input.prompt.seqs };
  yield { kind: "tool", name: "sleep" };
  await new Promise<void>((resolve) => interrupted.addEventListener("abort", () => resolve()));
  yield { kind: "failed", class: "transient", message: "interrupted" };
};

class Inbox {
  readonly #parts: PromptPart[] = [];
  #wake: (() => void) | undefined;

  push(part: PromptPart): void {
    this.#parts.push(part);
    this.#wake?.();
  }

  async next(): Promise<PromptPart> {
    for (;;) {
      const part = this.#parts.shift();
      if (part) return part;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
