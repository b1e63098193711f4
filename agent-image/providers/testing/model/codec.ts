import type { ModelRequest, ToolCall } from "./conversation.ts";

/** One wire format of model APIs. */
export interface Codec {
  /** Path of its only call. */
  readonly path: string;
  /** @throws ZodError for a body that it can't read */
  parse(body: unknown): ModelRequest;
  writer(head: ReplyHead): ReplyWriter;
  error(status: number, message: string): object;
}

export interface ReplyHead {
  /** Unique per reply. */
  readonly id: string;
  readonly model: string;
  readonly thinking: boolean;
  readonly inputTokens: number;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Either tokens and then `endText`, or one `call`; `end` follows. Each returns server-sent events. */
export interface ReplyWriter {
  begin(): string;
  token(text: string): string;
  endText(text: string): string;
  call(call: ToolCall): string;
  end(reason: "text" | "call", usage: Usage): string;
  /** The whole reply for a request that doesn't stream. */
  whole(content: string | ToolCall, usage: Usage): object;
}

/** A server-sent event that has a name, which stands in its data too. */
export const namedEvent = (type: string, data: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
