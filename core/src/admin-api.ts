import { z } from "zod";
import { defaultNamespace } from "./addresses.ts";
import { type Client, endpoint, queryInt } from "./endpoint.ts";
import { errorCodes } from "./errors.ts";
import { filesSchema } from "./files.ts";
import { longPollMs } from "./limits.ts";
import { activitySchema, inboundKinds, inboundStates, nameSchema, outboundStates, textSchema } from "./messages.ts";

const limit = queryInt.min(1).max(500).default(100);
const namespace = z.string().default(defaultNamespace);
const code = z.enum(errorCodes);

/** One line of a conversation, in either direction. */
export const lineSchema = z.object({
  id: z.string(),
  /** `system` = a sentence of Copepod itself, such as a refusal or a dead letter. */
  from: z.enum(["person", "agent", "system"]),
  /** Place among the lines of all conversations; set for lines to the person only. */
  position: z.int().optional(),
  /** UTC milliseconds. */
  time: z.int(),
  text: z.string(),
  sender: z.string().optional(),
  /** Id of the message in whose turn the agent said this. */
  inReplyTo: z.string().optional(),
  /** Name of the session that said this. */
  session: z.string().optional(),
  files: filesSchema.optional(),
});
export type Line = z.output<typeof lineSchema>;

export const messageRowSchema = z.object({
  id: z.string(),
  direction: z.enum(["in", "out"]),
  session: z.string(),
  seq: z.int().optional(),
  kind: z.string(),
  state: z.enum([...inboundStates, ...outboundStates]),
  attempt: z.int(),
  conversation: z.string().optional(),
  createdAt: z.int(),
  retryAt: z.int().optional(),
  code: code.optional(),
  reason: z.string().optional(),
  text: z.string(),
});
export type MessageRow = z.output<typeof messageRowSchema>;

export const sessionRowSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  group: z.string(),
  phase: z.enum(["Asleep", "Waking", "Awake", "Draining", "Failed"]),
  epoch: z.int(),
  podUid: z.string().optional(),
  pending: z.int(),
  oldestPendingAt: z.int().optional(),
  lastActiveAt: z.int(),
  /** Why the session is not awake although it has work. */
  reason: z.string().optional(),
  conversation: z.string().optional(),
  /** Name of its terminal conversation, when it has one: what `say` takes. */
  terminal: z.string().optional(),
});
export type SessionRow = z.output<typeof sessionRowSchema>;

export const problemSchema = z.object({
  file: z.string(),
  line: z.int().optional(),
  path: z.string().optional(),
  reason: z.string(),
  /** Of the resource, where it is known. */
  namespace: z.string().optional(),
});
export type Problem = z.output<typeof problemSchema>;

const resourceSchema = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  spec: z.record(z.string(), z.unknown()),
  status: z.record(z.string(), z.unknown()).optional(),
});
export type ResourceView = z.output<typeof resourceSchema>;

/** What requests to model APIs are summed by. */
export const usageKeys = ["group", "user", "session", "model", "credential"] as const;
export type UsageBy = (typeof usageKeys)[number];

const usageSumSchema = z.object({
  /** Name of the group, user, session, model or credential; an identity for a sender whom no User lists; empty = nobody. */
  key: z.string(),
  requests: z.int(),
  /** Of them those without a 2xx answer. */
  failed: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheReadTokens: z.int(),
  cacheWriteTokens: z.int(),
  /** Millionths of a US dollar, of the requests whose model has a price. */
  costMicros: z.int(),
  /** Requests with an answer whose model has none. */
  unpriced: z.int(),
});
export type UsageSum = z.output<typeof usageSumSchema>;

/** Who says or stops something; in a cluster the user name of the token counts instead. */
const sender = nameSchema;

/**
 * Admin API: what the CLI (and later the console) uses. In a cluster whoever has no role of an Owner or Admin in the namespace
 * may call only what is about their own conversations, and `status`.
 */
export const adminApi = {
  status: endpoint({
    method: "GET",
    path: "/v1/status",
    summary: "The router's state: version, resource problems, supervisor, disk.",
    input: z.object({ namespace }),
    output: z.object({
      version: z.string(),
      ready: z.boolean(),
      /** What keeps the router from being ready. */
      reasons: z.array(z.string()),
      /** Those that the caller may see, as channels. */
      problems: z.array(problemSchema),
      channels: z.array(z.object({ channel: z.string(), state: z.string(), detail: z.string().optional() })),
    }),
  }),
  listResources: endpoint({
    method: "GET",
    path: "/v1/resources/:kind",
    summary: "Resources of one kind, with their status.",
    input: z.object({ kind: z.string(), namespace }),
    output: z.object({ items: z.array(resourceSchema) }),
  }),
  applyResource: endpoint({
    method: "PUT",
    path: "/v1/resources",
    summary: "Writes one resource into the resources folder, after the same checks as a file there; not in a cluster.",
    input: z.object({ resource: z.record(z.string(), z.unknown()) }),
    output: z.object({ result: z.enum(["created", "configured", "unchanged"]), kind: z.string(), name: z.string() }),
  }),
  listSessions: endpoint({
    method: "GET",
    path: "/v1/sessions",
    summary: "Sessions, the last active first.",
    input: z.object({ namespace, limit }),
    output: z.object({ items: z.array(sessionRowSchema) }),
  }),
  listMessages: endpoint({
    method: "GET",
    path: "/v1/messages",
    summary: "Rows of both directions, the newest first.",
    input: z.object({
      namespace,
      /** Its name, or `<namespace>/<name>`. Who may see only their own rows has to name it. */
      session: z.string().optional(),
      state: z.enum([...inboundStates, ...outboundStates]).optional(),
      kind: z.enum(inboundKinds).optional(),
      limit,
    }),
    output: z.object({ items: z.array(messageRowSchema) }),
  }),
  retry: endpoint({
    method: "POST",
    path: "/v1/messages/:id/retry",
    summary: "Makes a dead letter, or a delivery with unknown outcome, pending again.",
    input: z.object({ namespace, id: z.string() }),
    output: z.object({ item: messageRowSchema }),
  }),
  usage: endpoint({
    method: "GET",
    path: "/v1/usage",
    summary: "What requests to model APIs took since a time (UTC milliseconds), the dearest first.",
    input: z.object({ namespace, by: z.enum(usageKeys).default("group"), since: queryInt.default(0) }),
    output: z.object({ items: z.array(usageSumSchema) }),
  }),
  backup: endpoint({
    method: "POST",
    path: "/v1/backup",
    summary: "Copies the queue database while it is in use.",
    input: z.object({ path: z.string().min(1).max(4_096) }),
    output: z.object({ path: z.string(), bytes: z.int() }),
  }),
  say: endpoint({
    method: "POST",
    path: "/v1/terminal/messages",
    summary: "A person says something in a terminal conversation.",
    input: z.object({
      namespace,
      /** Name of the terminal conversation. In a cluster everybody has conversations of their own. */
      conversation: nameSchema,
      /** Agent group that shall answer; without it the wirings decide. */
      group: nameSchema.optional(),
      sender,
      text: textSchema,
      /** Uploaded before. */
      files: filesSchema.optional(),
      dedupeKey: nameSchema,
    }),
    output: z.object({
      id: z.string(),
      duplicate: z.boolean(),
      session: z.string(),
      /** Replies come after this position. */
      position: z.int(),
    }),
  }),
  events: endpoint({
    method: "GET",
    path: "/v1/terminal/events",
    summary: "What a terminal conversation heard after a position, and what the agent is doing; long poll.",
    input: z.object({
      namespace,
      conversation: nameSchema,
      after: queryInt,
      /** Version of activity and open messages that the caller has seen; another one answers the poll. */
      activityVersion: queryInt.default(-1),
      waitMs: queryInt.min(0).max(longPollMs),
    }),
    output: z.object({
      lines: z.array(lineSchema),
      position: z.int(),
      activity: activitySchema,
      activityVersion: z.int(),
      /** Ids of the conversation's messages that wait or are being answered. */
      open: z.array(z.string()),
    }),
  }),
  history: endpoint({
    method: "GET",
    path: "/v1/terminal/history",
    summary: "The last lines of a terminal conversation, oldest first, and the position behind them.",
    input: z.object({ namespace, conversation: nameSchema, limit }),
    output: z.object({ lines: z.array(lineSchema), position: z.int() }),
  }),
  stop: endpoint({
    method: "POST",
    path: "/v1/terminal/stop",
    summary: "Stops the turn that is running for a terminal conversation.",
    input: z.object({ namespace, conversation: nameSchema, sender }),
    output: z.object({ stopping: z.boolean() }),
  }),
};

export type AdminClient = Client<typeof adminApi>;
