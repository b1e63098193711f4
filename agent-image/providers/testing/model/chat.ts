import { z } from "zod";
import type { Codec, ReplyHead, ReplyWriter, Usage } from "./codec.ts";
import { fullName, type Item, type ToolCall } from "./conversation.ts";
import { openAiError, parseInput } from "./openai.ts";

const contentSchema = z
  .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
  .nullish();
const messageSchema = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: contentSchema,
  tool_call_id: z.string().optional(),
  tool_calls: z
    .array(z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }))
    .nullish(),
});
type Message = z.output<typeof messageSchema>;

const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z.array(messageSchema),
  tools: z.array(z.object({ function: z.object({ name: z.string() }) })).optional(),
  reasoning_effort: z.string().optional(),
});

/** OpenAI Chat Completions. */
export const chat: Codec = {
  path: "/v1/chat/completions",
  parse: (body) => {
    const { model, stream, messages, tools, reasoning_effort } = bodySchema.parse(body);
    return {
      model,
      effort: reasoning_effort,
      stream: stream ?? false,
      thinking: false,
      conversation: {
        system: messages
          .filter(isSystem)
          .map(({ content }) => plain(content))
          .join("\n"),
        items: messages.flatMap(toItems),
        tools: (tools ?? []).map((tool) => ({ name: tool.function.name })),
      },
    };
  },
  writer: createWriter,
  error: openAiError,
};

const isSystem = ({ role }: Message): boolean => role === "system" || role === "developer";

function plain(content: z.output<typeof contentSchema>): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text = "" }) => text).join("\n");
}

function toItems(message: Message): Item[] {
  const text = plain(message.content);
  switch (message.role) {
    case "system":
    case "developer":
      return [];
    case "tool":
      return [{ kind: "output", id: message.tool_call_id ?? "", text }];
    case "user":
      return [{ kind: "text", role: "user", text }];
    case "assistant": {
      const said: Item[] = text === "" ? [] : [{ kind: "text", role: "assistant", text }];
      const calls = message.tool_calls ?? [];
      return [
        ...said,
        ...calls.map(
          ({ id, function: { name, arguments: json } }): Item => ({
            kind: "call",
            id,
            tool: name,
            input: parseInput(json),
          }),
        ),
      ];
    }
  }
}

function createWriter({ id, model }: ReplyHead): ReplyWriter {
  const head = { id: `chatcmpl-${id}`, created: Math.floor(Date.now() / 1_000), model };
  const frame = (data: object) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...data })}\n\n`;
  const chunk = (delta: object, finish: string | null = null) =>
    frame({ choices: [{ index: 0, delta, finish_reason: finish }] });
  return {
    begin: () => chunk({ role: "assistant", content: "" }),
    token: (content) => chunk({ content }),
    endText: () => "",
    call: (call) => chunk({ tool_calls: [{ index: 0, ...callOf(id, call) }] }),
    end: (reason, usage) =>
      `${chunk({}, finishReason(reason))}${frame({ choices: [], usage: usageOf(usage) })}data: [DONE]\n\n`,
    whole: (said, usage) => {
      const message = typeof said === "string" ? { content: said } : { content: null, tool_calls: [callOf(id, said)] };
      const finish = finishReason(typeof said === "string" ? "text" : "call");
      const choices = [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }];
      return { ...head, object: "chat.completion", choices, usage: usageOf(usage) };
    },
  };
}

const finishReason = (reason: "text" | "call") => (reason === "text" ? "stop" : "tool_calls");

const callOf = (id: string, { tool, input }: ToolCall) => ({
  id: `call_${id}`,
  type: "function",
  function: { name: fullName(tool), arguments: JSON.stringify(input) },
});

const usageOf = ({ inputTokens, outputTokens }: Usage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
});
