import type { FailureClass } from "@copepod/core/messages";

/** Part of a turn's input: text for the model, and the rows it stands for. */
export interface PromptPart {
  readonly seqs: readonly number[];
  readonly text: string;
}

export interface TurnInput {
  readonly prompt: PromptPart;
  /** Composed instructions and memory; put in front of the model's own system prompt. */
  readonly instructions: string;
  /** What the provider told by `continuation` last time; undefined in a fresh session. */
  readonly continuation: string | undefined;
}

/**
 * What happens in a turn. The stream ends after exactly one `result` or `failed`.
 * Every sign of life from the harness must become an event: silence means that it hangs.
 */
export type ProviderEvent =
  /** These rows have reached the model; only they may be finished. */
  | { readonly kind: "consumed"; readonly seqs: readonly number[] }
  | { readonly kind: "thinking" }
  | { readonly kind: "tool"; readonly name: string; readonly timeoutMs?: number }
  /** To be given back in the next turn's input, also after a restart. */
  | { readonly kind: "continuation"; readonly value: string }
  /** The final text, in the output grammar (`<message to="…">`). */
  | { readonly kind: "result"; readonly text: string }
  | {
      readonly kind: "failed";
      readonly class: FailureClass;
      readonly message: string;
      readonly retryAfterMs?: number;
      /** The continuation is no longer known: forget it before the retry. */
      readonly continuationLost?: boolean;
    };

export interface Turn {
  readonly events: AsyncIterable<ProviderEvent>;
  /** Adds to the running turn. What is not `consumed` when the turn ends starts the next one. */
  push(part: PromptPart): void;
  /** Ends the turn early: the stream still ends with `result` or `failed`. */
  interrupt(): Promise<void>;
}

/** What the agent's tools may do; given to the provider, which shows them to its model. */
export interface Tools {
  /** Sends before the turn ends. @throws CopepodError `destinationUnknown` */
  sendMessage(to: string, text: string): Promise<{ seq: number }>;
}

export interface ProviderDeps {
  /** The session's own folder, HOME below it. */
  readonly workspace: string;
  /** The agent group's folder: memory and files. */
  readonly agentDir: string;
  readonly tools: Tools;
  readonly env: Readonly<Record<string, string>>;
}

export interface Provider {
  readonly name: string;
  start(input: TurnInput): Turn;
  /** Ends what the provider keeps running between turns. */
  close(): Promise<void>;
}

export type ProviderFactory = (deps: ProviderDeps) => Promise<Provider>;
