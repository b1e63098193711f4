import type { Effort, McpServerSettings } from "@copepod/core/agent";
import type { FailureClass } from "@copepod/core/messages";
import type { Upstream } from "@copepod/core/proxy-api";
import type { Logger } from "pino";
import type { Time } from "../runner/time.ts";

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

/** What the agent's tools may do; reaches the model as the MCP server `copepod`. */
export interface Tools {
  /** Sends before the turn ends. @throws CopepodError `destinationUnknown` */
  sendMessage(to: string, text: string): Promise<{ seq: number }>;
  /**
   * Sends a file before the turn ends.
   * @param path absolute, or from the workspace
   * @throws CopepodError `destinationUnknown`, `notFound`, `tooLarge`
   */
  sendFile(to: string, path: string, text: string | undefined): Promise<{ seq: number }>;
}

/** A model API, as the harness reaches it: through the session's proxy. */
export interface ProviderUpstream extends Upstream {
  /** `http://127.0.0.1:<port>/<name>`, without a slash at the end. */
  readonly baseUrl: string;
}

export type McpServer =
  /** Copepod's own tools, served by the runner. */
  | {
      readonly kind: "http";
      readonly name: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** A server of the agent group, to be run by the harness. */
  | ({ readonly kind: "stdio" } & McpServerSettings);

export interface Skill {
  readonly name: string;
  /** Folder with a `SKILL.md`. */
  readonly path: string;
}

export interface ProviderDeps {
  /** The session's own folder, HOME below it. */
  readonly workspace: string;
  /** The agent group's folder: memory and files. */
  readonly agentDir: string;
  /** The whole environment of the harness, less what the provider adds. */
  readonly env: Readonly<Record<string, string>>;
  readonly model: string | undefined;
  readonly effort: Effort | undefined;
  /** The preferred one first. A provider takes the first whose API its harness speaks. */
  readonly upstreams: readonly ProviderUpstream[];
  readonly mcpServers: readonly McpServer[];
  readonly skills: readonly Skill[];
  /** For a provider that needs no harness. */
  readonly tools: Tools;
  /** Folder of the installed harness, with `node_modules` in it; empty for a provider without one. */
  readonly harnessDir: string;
  readonly time: Time;
  readonly log: Logger;
}

export interface Provider {
  readonly name: string;
  start(input: TurnInput): Turn;
  /** Ends what the provider keeps running between turns. */
  close(): Promise<void>;
}

export type ProviderFactory = (deps: ProviderDeps) => Promise<Provider>;
