import { z } from "zod";
import { type Codec, namedEvent, type ReplyHead, type ReplyWriter, type Usage } from "./codec.ts";
import { fullName, type Item, type OfferedTool, type ToolCall } from "./conversation.ts";
import { openAiError, parseInput } from "./openai.ts";

const contentSchema = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]);
const messageSchema = z.object({
  type: z.literal("message").optional(),
  role: z.enum(["user", "assistant", "system", "developer"]),
  content: contentSchema,
});
const callSchema = z.object({
  type: z.literal("function_call"),
  call_id: z.string(),
  name: z.string(),
  namespace: z.string().nullish(),
  arguments: z.string(),
});
const outputSchema = z.object({ type: z.literal("function_call_output"), call_id: z.string(), output: contentSchema });
const itemSchema = z.union([callSchema, outputSchema, messageSchema, z.looseObject({ type: z.string() })]);
type InputItem = z.output<typeof itemSchema>;

const toolSchema = z.object({
  type: z.string(),
  name: z.string().optional(),
  tools: z.array(z.object({ name: z.string() })).optional(),
});

const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  instructions: z.string().nullish(),
  input: z.union([z.string(), z.array(itemSchema)]),
  tools: z.array(toolSchema).optional(),
  reasoning: z.object({ effort: z.string().nullish() }).nullish(),
});

/** OpenAI Responses. */
export const responses: Codec = {
  path: "/v1/responses",
  parse: (body) => {
    const { model, stream, instructions, input, tools, reasoning } = bodySchema.parse(body);
    const items = typeof input === "string" ? [{ role: "user" as const, content: input }] : input;
    return {
      model,
      effort: reasoning?.effort ?? undefined,
      stream: stream ?? false,
      thinking: false,
      conversation: {
        system: [instructions ?? "", ...items.flatMap(systemText)].join("\n"),
        items: items.flatMap(toItems),
        tools: (tools ?? []).flatMap(toTools),
      },
    };
  },
  writer: createWriter,
  error: openAiError,
};

function plain(content: z.output<typeof contentSchema>): string {
  return typeof content === "string" ? content : content.map(({ text = "" }) => text).join("\n");
}

const isSystem = (role: string): boolean => role === "system" || role === "developer";

const systemText = (item: InputItem): string[] => {
  const message = messageSchema.safeParse(item).data;
  return message && isSystem(message.role) ? [plain(message.content)] : [];
};

function toItems(item: InputItem): Item[] {
  const call = callSchema.safeParse(item).data;
  if (call) {
    const tool = fullName({ name: call.name, ...(call.namespace && { namespace: call.namespace }) });
    return [{ kind: "call", id: call.call_id, tool, input: parseInput(call.arguments) }];
  }
  const output = outputSchema.safeParse(item).data;
  if (output) return [{ kind: "output", id: output.call_id, text: plain(output.output) }];
  const message = messageSchema.safeParse(item).data;
  if (!message || isSystem(message.role)) return [];
  return [{ kind: "text", role: message.role === "user" ? "user" : "assistant", text: plain(message.content) }];
}

function toTools({ name, tools }: z.output<typeof toolSchema>): OfferedTool[] {
  if (name === undefined) return [];
  return tools ? tools.map((tool) => ({ name: tool.name, namespace: name })) : [{ name }];
}

function createWriter({ id, model }: ReplyHead): ReplyWriter {
  const response = { id: `resp_${id}`, object: "response", created_at: Math.floor(Date.now() / 1_000), model };
  const place = { output_index: 0, item_id: `item_${id}` };
  const partPlace = { ...place, content_index: 0 };
  const output: object[] = [];
  let opened = false;
  let sequence = 0;
  const event = (type: string, data: object) => namedEvent(type, { sequence_number: sequence++, ...data });
  const begun = (item: object) => event("response.output_item.added", { output_index: 0, item });
  const ended = (item: object) => {
    output.push(item);
    return event("response.output_item.done", { output_index: 0, item });
  };
  const openText = () =>
    begun({ ...messageItem(id, []), status: "in_progress" }) +
    event("response.content_part.added", { ...partPlace, part: textPart("") });
  return {
    begin: () => event("response.created", { response: { ...response, status: "in_progress", output: [] } }),
    token: (delta) => {
      const start = opened ? "" : openText();
      opened = true;
      return start + event("response.output_text.delta", { ...partPlace, delta });
    },
    endText: (text) =>
      event("response.output_text.done", { ...partPlace, text }) +
      event("response.content_part.done", { ...partPlace, part: textPart(text) }) +
      ended(messageItem(id, [textPart(text)])),
    call: (call) => {
      const item = callItem(id, call);
      return (
        begun({ ...item, arguments: "", status: "in_progress" }) +
        event("response.function_call_arguments.delta", { ...place, delta: item.arguments }) +
        event("response.function_call_arguments.done", { ...place, arguments: item.arguments }) +
        ended(item)
      );
    },
    end: (_reason, usage) =>
      event("response.completed", { response: { ...response, status: "completed", output, usage: usageOf(usage) } }),
    whole: (said, usage) => {
      const item = typeof said === "string" ? messageItem(id, [textPart(said)]) : callItem(id, said);
      return { ...response, status: "completed", output: [item], usage: usageOf(usage) };
    },
  };
}

const textPart = (text: string) => ({ type: "output_text", text, annotations: [] });

const messageItem = (id: string, content: readonly object[]) => ({
  type: "message",
  id: `item_${id}`,
  status: "completed",
  role: "assistant",
  content,
});

const callItem = (id: string, { tool, input }: ToolCall) => ({
  type: "function_call",
  id: `item_${id}`,
  call_id: `call_${id}`,
  status: "completed",
  ...tool,
  arguments: JSON.stringify(input),
});

const usageOf = ({ inputTokens, outputTokens }: Usage) => ({
  input_tokens: inputTokens,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: outputTokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: inputTokens + outputTokens,
});
