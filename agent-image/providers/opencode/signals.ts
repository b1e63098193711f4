import { z } from "zod";
import { type Retry, type WireError, wireErrorSchema } from "./failure.ts";

/** What an event of OpenCode means for a turn. */
export type Signal =
  /** A message of ours is in the conversation. */
  | { readonly kind: "accepted"; readonly part: string; readonly message: string }
  | {
      readonly kind: "answering";
      readonly message: string;
      /** The last message that the model is shown. */
      readonly parent: string;
      /** OpenCode asks for it by itself, to shorten the context. */
      readonly summary: boolean;
      /** It has come to its end, good or bad. */
      readonly done: boolean;
    }
  /** The model has begun to answer. */
  | { readonly kind: "step"; readonly message: string }
  | { readonly kind: "text"; readonly message: string; readonly part: string; readonly text: string }
  | {
      readonly kind: "tool";
      readonly call: string;
      readonly name: string;
      readonly running: boolean;
      /** As the model asks for it. */
      readonly timeoutMs: number | undefined;
    }
  | { readonly kind: "retry"; readonly retry: Retry }
  | { readonly kind: "error"; readonly error: WireError }
  | { readonly kind: "idle" }
  /** Anything else that happens in a conversation. */
  | { readonly kind: "life" };

/** An event of one conversation; events of the server itself are not told. */
export interface SessionSignal {
  readonly session: string;
  readonly signal: Signal;
}

const life: Signal = { kind: "life" };

const eventSchema = z.object({
  type: z.string(),
  properties: z.looseObject({ sessionID: z.string() }),
});

const partSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), id: z.string(), messageID: z.string(), text: z.string() }),
  z.object({ type: z.literal("step-start"), messageID: z.string() }),
  z.object({
    type: z.literal("tool"),
    callID: z.string(),
    tool: z.string(),
    state: z.object({ status: z.string(), input: z.object({ timeout: z.number().positive().optional() }).catch({}) }),
  }),
]);

const messageSchema = z.object({
  role: z.literal("assistant"),
  id: z.string(),
  parentID: z.string(),
  summary: z.boolean().optional(),
  time: z.object({ completed: z.number().optional() }),
});

const statusSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("idle") }),
  z.object({ type: z.literal("retry"), attempt: z.int(), message: z.string(), next: z.number() }),
]);

/** Reads the data of one event. Undefined: it is of no conversation, or not readable. */
export function readSignal(data: string): SessionSignal | undefined {
  const event = eventSchema.safeParse(parseJson(data));
  if (!event.success) return undefined;
  const { type, properties } = event.data;
  const reader = Object.hasOwn(readers, type) ? readers[type] : undefined;
  return { session: properties.sessionID, signal: reader?.(properties) ?? life };
}

const readers: Readonly<Record<string, (properties: Readonly<Record<string, unknown>>) => Signal | undefined>> = {
  "message.part.updated": ({ part }) => readPart(part),
  "message.updated": ({ info }) => {
    const message = messageSchema.safeParse(info).data;
    return message && answering(message);
  },
  "session.status": ({ status }) => {
    const known = statusSchema.safeParse(status).data;
    return known?.type === "retry" ? { kind: "retry", retry: known } : known && { kind: "idle" };
  },
  "session.error": ({ error }) => {
    const known = wireErrorSchema.safeParse(error).data;
    return { kind: "error", error: known ?? { name: "an unknown error", data: {} } };
  },
};

const answering = ({ id, parentID, summary = false, time }: z.output<typeof messageSchema>): Signal => ({
  kind: "answering",
  message: id,
  parent: parentID,
  summary,
  done: time.completed !== undefined,
});

function readPart(value: unknown): Signal | undefined {
  const part = partSchema.safeParse(value).data;
  switch (part?.type) {
    case "text":
      if (part.id.startsWith(ownPartPrefix)) return { kind: "accepted", part: part.id, message: part.messageID };
      return { kind: "text", message: part.messageID, part: part.id, text: part.text };
    case "step-start":
      return { kind: "step", message: part.messageID };
    case "tool": {
      const { status, input } = part.state;
      const running = status === "pending" || status === "running";
      return { kind: "tool", call: part.callID, name: part.tool, running, timeoutMs: input.timeout };
    }
    case undefined:
      return undefined;
  }
}

/** Begins the ids of what we say, so that it is known again in the events. OpenCode asks for `prt`. */
export const ownPartPrefix = "prt_copepod";

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
