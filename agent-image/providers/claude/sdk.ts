import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { z } from "zod";

/** The part of the Claude Agent SDK that is used. It is installed apart, so its own types are not here. */
export interface Sdk {
  query(params: { readonly prompt: AsyncIterable<UserMessage>; readonly options: SdkOptions }): Query;
}

/** Messages of the harness, until it ends. */
export interface Query extends AsyncIterable<unknown> {
  /** Ends what the model does now; what waits in the harness stays there. */
  interrupt(): Promise<unknown>;
  close(): void;
}

export interface UserMessage {
  readonly type: "user";
  readonly message: { readonly role: "user"; readonly content: string };
  readonly parent_tool_use_id: null;
  readonly uuid: string;
}

export interface SdkOptions {
  readonly cwd: string;
  readonly additionalDirectories: readonly string[];
  /** Replaces the environment; nothing of ours is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly model?: string;
  readonly effort?: "low" | "medium" | "high";
  readonly resume?: string;
  readonly systemPrompt: {
    readonly type: "preset";
    readonly preset: "claude_code";
    readonly append: string;
    /** false = what is appended counts from now on, also in a session that is resumed. */
    readonly snapshot: false;
  };
  readonly settings: { readonly skipWebFetchPreflight: true };
  readonly settingSources: readonly ["user"];
  readonly permissionMode: "bypassPermissions";
  readonly allowDangerouslySkipPermissions: true;
  readonly disallowedTools: readonly string[];
  readonly skills: readonly string[];
  readonly mcpServers: Readonly<Record<string, SdkMcpServer>>;
  /** `initialize` = over stdin: on the command line others could read the headers. */
  readonly mcpServersDelivery: "initialize";
  readonly strictMcpConfig: true;
  readonly includePartialMessages: true;
  readonly hooks: Readonly<Record<string, readonly [{ readonly hooks: readonly [Hook] }]>>;
  readonly spawnClaudeCodeProcess: (request: SpawnRequest) => SpawnedProcess;
}

export type SdkMcpServer = { readonly alwaysLoad: true } & (
  | { readonly type: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly type: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
);

export type Hook = (input: unknown) => Promise<Record<string, never>>;

export interface SpawnRequest {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What the SDK uses of a child process. */
export interface SpawnedProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
}

const sdkPath = ["node_modules", "@anthropic-ai", "claude-agent-sdk", "sdk.mjs"];

const sdkSchema = z.object({ query: z.custom<Sdk["query"]>((value) => typeof value === "function") });

/** @param harnessDir folder in which the lock of this harness is installed. */
export async function loadSdk(harnessDir: string): Promise<Sdk> {
  return sdkSchema.parse(await import(pathToFileURL(join(harnessDir, ...sdkPath)).href));
}

const contentSchema = z.object({
  type: z.string(),
  name: z.string().optional(),
  input: z.unknown().optional(),
});

const resultSchema = z.object({
  type: z.literal("result"),
  is_error: z.boolean(),
  api_error_status: z.int().nullish(),
  terminal_reason: z.string().optional(),
  result: z.string().optional(),
  errors: z.array(z.string()).optional(),
  user_message_uuids: z.array(z.string()).optional(),
});
export type SdkResult = z.output<typeof resultSchema>;

/** Messages that say more than that the harness lives. */
const messageSchema = z.discriminatedUnion("type", [
  z.discriminatedUnion("subtype", [
    z.object({ type: z.literal("system"), subtype: z.literal("init"), session_id: z.string() }),
    z.object({
      type: z.literal("system"),
      subtype: z.literal("api_retry"),
      error_status: z.int().nullable(),
      retry_delay_ms: z.number(),
    }),
  ]),
  z.object({ type: z.literal("assistant"), message: z.object({ content: z.array(contentSchema) }) }),
  z.object({
    type: z.literal("rate_limit_event"),
    rate_limit_info: z.object({ status: z.literal("rejected"), resetsAt: z.number() }),
  }),
  resultSchema,
]);
export type SdkMessage = z.output<typeof messageSchema>;

/** @returns undefined for a message that is a sign of life and no more. */
export function parseMessage(message: unknown): SdkMessage | undefined {
  return messageSchema.safeParse(message).data;
}

export const promptHookSchema = z.object({ prompt: z.string() });
export const compactHookSchema = z.object({ transcript_path: z.string(), session_id: z.string() });
