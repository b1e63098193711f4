import { z } from "zod";
import { filesSchema } from "./files.ts";
import { maxNameLength, maxReasonLength, maxRetryAfterMs, maxTextLength } from "./limits.ts";

/** Text from outside: bounded, and without NUL, which neither SQLite's tools nor terminals treat as text. */
export const textSchema = z
  .string()
  .min(1)
  .max(maxTextLength)
  .refine((text) => !text.includes("\0"), "must not contain NUL");

export const nameSchema = z
  .string()
  .min(1)
  .max(maxNameLength)
  .regex(/^\P{Cc}*$/u, "must not contain control characters");

/** Kinds of `messages_in`. Only chat rows are pushed into a running turn. */
export const inboundKinds = ["chat", "task", "agent", "webhook", "control"] as const;
export type InboundKind = (typeof inboundKinds)[number];

export const inboundStates = ["pending", "leased", "done", "dead"] as const;
export type InboundState = (typeof inboundStates)[number];

export const outboundStates = ["pending", "leased", "sent", "unknown", "dead"] as const;
export type OutboundState = (typeof outboundStates)[number];

export const quoteSchema = z.object({ sender: nameSchema, text: textSchema });

/** Body of a `chat` or `agent` row. */
export const chatBodySchema = z.object({
  text: textSchema,
  quote: quoteSchema.optional(),
  files: filesSchema.optional(),
});
/** Body of a `task` row. */
export const taskBodySchema = z.object({ prompt: textSchema, scriptOutput: z.unknown().optional() });
/** Body of a `webhook` row. */
export const webhookBodySchema = z.object({ source: nameSchema, event: nameSchema, payload: z.unknown() });
/** Body of a `control` row: a stop names the turn by its first seq, so that one that comes too late has no effect. */
export const controlBodySchema = z.object({ action: z.literal("stop"), turn: z.int().nonnegative() });

const mailboxRow = {
  /** The only number that an agent sees: one counter per session for both directions. */
  seq: z.int().positive(),
  /** false = context only: never starts a turn, joins the next one. */
  trigger: z.boolean(),
  /** true = an earlier turn with this row ended without a commit. */
  redelivered: z.boolean(),
  /** Name of the destination where an answer goes. */
  from: z.string(),
  /** Display name of the person or agent that wrote. */
  sender: z.string().optional(),
  /** UTC milliseconds. */
  time: z.int(),
};

/** A row of `messages_in` as its session sees it. */
export const mailboxMessageSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("chat"), ...mailboxRow, body: chatBodySchema }),
  z.object({ kind: z.literal("agent"), ...mailboxRow, body: chatBodySchema }),
  z.object({ kind: z.literal("task"), ...mailboxRow, body: taskBodySchema }),
  z.object({ kind: z.literal("webhook"), ...mailboxRow, body: webhookBodySchema }),
]);
export type MailboxMessage = z.output<typeof mailboxMessageSchema>;

export const controlMessageSchema = z.object({ id: z.string(), body: controlBodySchema });
export type ControlMessage = z.output<typeof controlMessageSchema>;

/** Why a turn failed, as the provider tells it; decides whether and when its rows are tried again. */
export const failureClasses = ["rateLimited", "transient", "permanent", "auth", "unknown"] as const;
export type FailureClass = (typeof failureClasses)[number];

/** Outcome of a failed send, as the adapter tells it. `unknown` = it may have been sent: never repeated blindly. */
export const channelErrorSchema = z.object({
  class: z.enum(failureClasses),
  message: z.string().max(maxReasonLength),
  /** Milliseconds that the platform asked to wait. */
  retryAfterMs: z.int().nonnegative().max(maxRetryAfterMs).optional(),
});
export type ChannelError = z.output<typeof channelErrorSchema>;

/** What a session is doing, for typing indicators. */
export const activitySchema = z.object({
  state: z.enum(["idle", "thinking", "tool"]),
  tool: nameSchema.optional(),
});
export type Activity = z.output<typeof activitySchema>;
