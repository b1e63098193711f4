import { z } from "zod";

/** What we use of the protocol of `codex app-server`; everything else in a message is left alone. */

export const serverLineSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  /** Absent in a response. */
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});

/** A notification of the server; a kind that is not known here still shows that the server lives. */
export interface Notification {
  readonly method: string;
  readonly params: unknown;
}

export const anythingSchema = z.unknown();

/** Answer to `thread/start` and `thread/resume`. */
export const threadOpenedSchema = z.object({ thread: z.object({ id: z.string() }) });

export const turnStartedSchema = z.object({ turn: z.object({ id: z.string() }) });

const itemSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("userMessage"), clientId: z.string().nullable() }),
  z.object({ type: z.literal("agentMessage"), text: z.string(), phase: z.string().nullable() }),
  z.object({ type: z.literal("commandExecution") }),
  z.object({ type: z.literal("fileChange") }),
  z.object({ type: z.literal("webSearch") }),
  z.object({ type: z.literal("mcpToolCall"), server: z.string(), tool: z.string() }),
]);
export type Item = z.output<typeof itemSchema>;

/** Parameters of `item/started` and `item/completed`, for the kinds of items that matter. */
export const itemParamsSchema = z.object({ item: itemSchema });

/** Every notification of a thread names it; those of the whole server don't. */
export const threadParamsSchema = z.object({ threadId: z.string() });

export const turnErrorSchema = z.object({
  message: z.string(),
  /** A name, or an object with the name as its only key and the details as its value. */
  codexErrorInfo: z
    .union([z.string(), z.record(z.string(), z.looseObject({ httpStatusCode: z.number().nullish() }))])
    .nullable()
    .catch(null),
});
export type TurnError = z.output<typeof turnErrorSchema>;

export const turnCompletedSchema = z.object({
  turn: z.object({
    status: z.enum(["completed", "interrupted", "failed"]),
    error: turnErrorSchema.nullable(),
  }),
});
