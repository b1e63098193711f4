import { z } from "zod";
import { agentSettingsSchema } from "./agent.ts";
import { type Client, endpoint } from "./endpoint.ts";
import { filesSchema } from "./files.ts";
import {
  longPollMs,
  maxMessagesPerFinish,
  maxReasonLength,
  maxRetryAfterMs,
  maxRowsPerTake,
  maxUsageEntries,
} from "./limits.ts";
import {
  activitySchema,
  controlMessageSchema,
  failureClasses,
  mailboxMessageSchema,
  nameSchema,
  textSchema,
} from "./messages.ts";

const seq = z.int().positive();
/** Random id that a runner draws when it starts. */
const instance = z.string().min(8).max(64);
/** A turn is named by the lowest seq of its first batch. */
const turn = seq;
const nothing = z.object({});

/** A message that the agent wants delivered. */
export const agentMessageSchema = z.object({ to: nameSchema, text: textSchema, files: filesSchema.optional() });
export type AgentMessage = z.output<typeof agentMessageSchema>;

export const contextSchema = z.object({
  /** Changes whenever any other field does; `take` repeats it, so that a runner sees a change at once. */
  version: z.string(),
  session: z.string(),
  group: z.string(),
  provider: z.string(),
  agent: agentSettingsSchema,
  maxMessagesPerPrompt: z.int().positive(),
  /** IANA zone in which times are shown to the agent. */
  timeZone: z.string(),
  /** Composed instructions: what Copepod is, how to answer, the group's own text, the destinations. */
  instructions: z.string(),
  destinations: z.array(z.object({ name: z.string(), displayName: z.string() })),
});
export type SessionContext = z.output<typeof contextSchema>;

const count = z.int().nonnegative();

/** One request to a model API, as far as its answer came. */
export const usageEntrySchema = z.object({
  /** Random; the same when the report is repeated. */
  id: z.string().min(8).max(64),
  credential: nameSchema,
  /** As the answer names it; "unknown" when it does not. */
  model: nameSchema,
  /** HTTP status of the answer; 0 = none came. */
  status: count,
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWriteTokens: count,
  /** Millionths of a US dollar by the price table; absent = the table does not know the model. */
  costMicros: count.optional(),
  durationMs: count,
});
export type UsageEntry = z.output<typeof usageEntrySchema>;

/** Mailbox API: what a session may see of the queue. The token decides the session, epoch and pod UID. */
export const mailboxApi = {
  hello: endpoint({
    method: "POST",
    path: "/v1/mailbox/hello",
    summary: "First call of a runner: becomes the session's holder and releases the leases of the one before.",
    input: z.object({ instance }),
    output: z.object({ session: z.string(), epoch: z.int() }),
  }),
  take: endpoint({
    method: "POST",
    path: "/v1/mailbox/take",
    summary: "Leases the next rows; waits for one when there is none.",
    input: z.object({
      instance,
      /** Rows that the runner has; those it holds without knowing (a lost answer) are sent again. */
      held: z.array(seq).max(10_000),
      limit: z.int().min(1).max(maxRowsPerTake),
      waitMs: z.int().min(0).max(longPollMs),
    }),
    output: z.object({
      messages: z.array(mailboxMessageSchema),
      control: z.array(controlMessageSchema),
      /** What an earlier, unfinished turn over the same first row has said already. */
      alreadySent: z.array(agentMessageSchema),
      contextVersion: z.string(),
      /** true = finish what runs, take nothing more, then exit. */
      drain: z.boolean(),
    }),
  }),
  heartbeat: endpoint({
    method: "POST",
    path: "/v1/mailbox/heartbeat",
    summary: "Says what the session is doing, and extends its leases.",
    input: z.object({ instance, activity: activitySchema }),
    output: z.object({ drain: z.boolean() }),
  }),
  post: endpoint({
    method: "POST",
    path: "/v1/mailbox/post",
    summary: "Sends a message before the turn ends. Repeating it with the same occurrence sends nothing twice.",
    input: agentMessageSchema.extend({ instance, turn, occurrence: z.int().min(0).max(10_000) }),
    output: z.object({ seq, duplicate: z.boolean() }),
  }),
  finish: endpoint({
    method: "POST",
    path: "/v1/mailbox/finish",
    summary: "Ends a turn: the final messages and the consumed rows in one commit. May be repeated.",
    input: z.object({
      instance,
      turn,
      /** Exactly the rows that the provider consumed. */
      consumed: z.array(seq).min(1).max(10_000),
      messages: z.array(agentMessageSchema).max(maxMessagesPerFinish),
      /** true = a person stopped the turn: its rows end as done with the code `cancelled`. */
      cancelled: z.boolean().default(false),
      /** A sentence for the person when the turn ended without any message for them. */
      notice: textSchema.optional(),
    }),
    output: z.object({ repeated: z.boolean() }),
  }),
  acknowledge: endpoint({
    method: "POST",
    path: "/v1/mailbox/acknowledge",
    summary: "Ends control rows, whether they had an effect or came too late.",
    input: z.object({ instance, control: z.array(z.string()).min(1).max(100) }),
    output: nothing,
  }),
  fail: endpoint({
    method: "POST",
    path: "/v1/mailbox/fail",
    summary: "Gives the rows of a failed turn back, by class: later, or as dead letters.",
    input: z.object({
      instance,
      turn,
      rows: z.array(seq).min(1).max(10_000),
      class: z.enum(failureClasses),
      message: z.string().max(maxReasonLength),
      retryAfterMs: z.int().nonnegative().max(maxRetryAfterMs).optional(),
    }),
    output: z.object({ dead: z.array(seq) }),
  }),
  context: endpoint({
    method: "POST",
    path: "/v1/mailbox/context",
    summary: "What the session is: instructions, destinations, settings of its agent group.",
    input: nothing,
    output: contextSchema,
  }),
  usage: endpoint({
    method: "POST",
    path: "/v1/mailbox/usage",
    summary: "Said by the proxy: what requests to model APIs took. May be repeated.",
    input: z.object({ entries: z.array(usageEntrySchema).min(1).max(maxUsageEntries) }),
    output: nothing,
  }),
  drain: endpoint({
    method: "POST",
    path: "/v1/mailbox/drain",
    summary: "Said by the proxy when it is asked to end: no new rows for this pod.",
    input: nothing,
    output: nothing,
  }),
};

/** Calls that only the proxy itself may make; it does not relay them. */
export const proxyCalls = ["usage", "drain"] as const satisfies readonly (keyof typeof mailboxApi)[];

export type MailboxClient = Client<typeof mailboxApi>;
