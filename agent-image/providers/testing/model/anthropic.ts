import { z } from "zod";
import { type Codec, namedEvent, type ReplyHead, type ReplyWriter, type Usage } from "./codec.ts";
import { fullName, type Item, type ToolCall } from "./conversation.ts";

const textBlock = z.object({ type: z.literal("text"), text: z.string() });
const otherBlock = z.looseObject({ type: z.string() });
const resultContent = z.union([z.string(), z.array(z.union([textBlock, otherBlock]))]).optional();
const useBlock = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
});
const resultBlock = z.object({ type: z.literal("tool_result"), tool_use_id: z.string(), content: resultContent });
const block = z.union([textBlock, useBlock, resultBlock, otherBlock]);
type Block = z.output<typeof block>;
const content = z.union([z.string(), z.array(block)]);

const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  system: content.optional(),
  messages: z.array(z.object({ role: z.enum(["user", "assistant", "system"]), content })),
  tools: z.array(z.object({ name: z.string() })).optional(),
  thinking: z.object({ type: z.string() }).optional(),
  output_config: z.object({ effort: z.string().optional() }).optional(),
});

/** What persons say in a running turn comes to newer models as a message of the system, after the output of the tool. */
const midTurn = /^The user sent a new message while you were working/;

/** Anthropic Messages. */
export const anthropic: Codec = {
  path: "/v1/messages",
  parse: (body) => {
    const { model, stream, system, messages, tools, thinking, output_config } = bodySchema.parse(body);
    const said = messages.filter(({ role, content: parts }) => role !== "system" || midTurn.test(plain(parts)));
    const systemTexts = messages.filter(({ role }) => role === "system").map((message) => plain(message.content));
    return {
      model,
      effort: output_config?.effort,
      stream: stream ?? false,
      thinking: thinking !== undefined && thinking.type !== "disabled",
      conversation: {
        system: [plain(system ?? ""), ...systemTexts].join("\n"),
        items: said.flatMap((message) => blocksOf(message.content).flatMap((part) => toItem(part, message.role))),
        tools: tools ?? [],
      },
    };
  },
  writer: createWriter,
  error: (status, message) => ({ type: "error", error: { type: errorTypes[status] ?? "api_error", message } }),
};

const errorTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

const blocksOf = (parts: string | readonly Block[]): readonly Block[] =>
  typeof parts === "string" ? [{ type: "text", text: parts }] : parts;

const plain = (parts: string | readonly Block[]): string =>
  blocksOf(parts)
    .flatMap((part) => textBlock.safeParse(part).data?.text ?? [])
    .join("\n");

function toItem(part: Block, role: string): Item[] {
  const text = textBlock.safeParse(part).data?.text;
  if (text !== undefined) return [{ kind: "text", role: role === "assistant" ? "assistant" : "user", text }];
  const use = useBlock.safeParse(part).data;
  if (use) return [{ kind: "call", id: use.id, tool: use.name, input: use.input }];
  const result = resultBlock.safeParse(part).data;
  return result ? [{ kind: "output", id: result.tool_use_id, text: plain(result.content ?? "") }] : [];
}

function createWriter({ id, model, thinking, inputTokens }: ReplyHead): ReplyWriter {
  const index = thinking ? 1 : 0;
  const thought = { type: "thinking", thinking: "Let me see.", signature: "c2lnbmVk" };
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model };
  const stop = namedEvent("content_block_stop", { index });
  const delta = (what: object) => namedEvent("content_block_delta", { index, delta: what });
  const open = (what: object) => namedEvent("content_block_start", { index, content_block: what });
  let opened = false;
  return {
    begin: () =>
      namedEvent("message_start", {
        message: {
          ...message,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: usageOf({ inputTokens, outputTokens: 1 }),
        },
      }) + (thinking ? thinkingEvents(thought) : ""),
    token: (text) => {
      const start = opened ? "" : open({ type: "text", text: "" });
      opened = true;
      return start + delta({ type: "text_delta", text });
    },
    endText: () => stop,
    call: (call) =>
      open({ ...toolUse(id, call), input: {} }) +
      delta({ type: "input_json_delta", partial_json: JSON.stringify(call.input) }) +
      stop,
    end: (reason, usage) =>
      namedEvent("message_delta", {
        delta: { stop_reason: stopReason(reason), stop_sequence: null },
        usage: usageOf(usage),
      }) + namedEvent("message_stop", {}),
    whole: (said, usage) => {
      const part = typeof said === "string" ? { type: "text", text: said } : toolUse(id, said);
      const reason = stopReason(typeof said === "string" ? "text" : "call");
      const parts = thinking ? [thought, part] : [part];
      return { ...message, content: parts, stop_reason: reason, stop_sequence: null, usage: usageOf(usage) };
    },
  };
}

const stopReason = (reason: "text" | "call") => (reason === "text" ? "end_turn" : "tool_use");

const toolUse = (id: string, { tool, input }: ToolCall) => ({
  type: "tool_use",
  id: `toolu_${id}`,
  name: fullName(tool),
  input,
});

const usageOf = ({ inputTokens, outputTokens }: Usage) => ({
  input_tokens: inputTokens,
  output_tokens: outputTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
});

function thinkingEvents({ thinking, signature }: { thinking: string; signature: string }): string {
  const delta = (what: object) => namedEvent("content_block_delta", { index: 0, delta: what });
  return (
    namedEvent("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "", signature: "" } }) +
    delta({ type: "thinking_delta", thinking }) +
    delta({ type: "signature_delta", signature }) +
    namedEvent("content_block_stop", { index: 0 })
  );
}
