import { maxNameLength } from "@copepod/core/limits";
import { z } from "zod";
import { conditionsSchema } from "./conditions.ts";
import { type Definition, resourceSchema } from "./definition.ts";
import { lineSchema, resourceNameSchema, timeSchema } from "./fields.ts";
import { withRule, withTransitionRule } from "./rule.ts";

const maxPodNameLength = 253;
const maxReasonLength = 1_024;

const keyObject = z.strictObject({
  kind: z
    .enum(["Conversation", "Thread", "Group", "Schedule"])
    .describe("What the session belongs to: a conversation, one thread of it, the whole agent group, or a schedule."),
  conversation: lineSchema(maxNameLength)
    .min(1)
    .optional()
    .describe("Id of the conversation's row. Required for the kinds Conversation and Thread."),
  thread: lineSchema(maxNameLength)
    .min(1)
    .optional()
    .describe("Thread within the conversation. Required for the kind Thread."),
});

const conversationNamed = withRule(keyObject, {
  cel: "!(self.kind in ['Conversation', 'Thread']) || has(self.conversation)",
  message: "conversation is required for the kinds Conversation and Thread",
  holds: ({ kind, conversation }) => !["Conversation", "Thread"].includes(kind) || conversation !== undefined,
});

const key = withRule(conversationNamed, {
  cel: "(self.kind == 'Thread') == has(self.thread)",
  message: "thread is required for the kind Thread, and for no other",
  holds: ({ kind, thread }) => (kind === "Thread") === (thread !== undefined),
});

const specObject = z
  .strictObject({
    group: resourceNameSchema.describe("Agent group that answers."),
    key: key.describe("What the session belongs to. Never changes."),
    wake: z
      .strictObject({
        wanted: z.boolean().default(false).describe("Whether the session should be awake. Default false."),
        epoch: z.int().min(0).default(0).describe("Number of the wake; only grows. Default 0."),
      })
      .prefault({})
      .describe("The router's wish. Only the router writes it."),
    suspended: z.boolean().default(false).describe("true: the session stays asleep, whatever waits. Default false."),
  })
  .describe("What the session is, and whether it should be awake.");

const withIdentity = withTransitionRule(specObject, {
  rule: "self.group == oldSelf.group && self.key == oldSelf.key",
  message: "group and key never change",
});

const spec = withTransitionRule(withIdentity, {
  rule: "self.wake.epoch >= oldSelf.wake.epoch",
  message: "wake.epoch only grows",
});

const status = z.strictObject({
  phase: z
    .enum(["Asleep", "Waking", "Awake", "Draining", "Failed"])
    .optional()
    .describe("Where the session is between asleep and awake."),
  podName: lineSchema(maxPodNameLength).optional().describe("Name of the running pod."),
  podUid: lineSchema(64).optional().describe("UID of the running pod."),
  epoch: z.int().min(0).optional().describe("Epoch of the running pod."),
  drainRequested: z
    .strictObject({
      epoch: z.int().min(0).describe("Epoch of the pod that should end after its turn."),
      reason: lineSchema(maxReasonLength).describe("Why."),
    })
    .optional()
    .describe("The operator's wish that the session sleeps, and wakes with a new pod."),
  pending: z.int().min(0).optional().describe("Messages that wait for the agent."),
  oldestPendingAt: timeSchema.optional().describe("Time of the oldest waiting message."),
  lastActiveAt: timeSchema.optional().describe("Time of the last message or turn."),
  reason: lineSchema(maxReasonLength).optional().describe("Why the session is not awake although it has work."),
  conditions: conditionsSchema,
});

export const sessionSchema = resourceSchema("Session", spec);
/** One conversation of one agent group, with at most one running pod. */
export type Session = z.output<typeof sessionSchema>;

export const sessionDefinition: Definition = {
  kind: "Session",
  plural: "sessions",
  shortName: "cpsess",
  description: "One conversation of one agent group, with at most one running pod. Made by the router.",
  decidedByPeople: false,
  schema: sessionSchema,
  spec,
  status,
  columns: [
    { name: "Group", type: "string", jsonPath: ".spec.group", description: "Agent group" },
    { name: "Phase", type: "string", jsonPath: ".status.phase", description: "Between asleep and awake" },
    { name: "Pending", type: "integer", jsonPath: ".status.pending", description: "Messages that wait" },
    { name: "Oldest", type: "date", jsonPath: ".status.oldestPendingAt", description: "Age of the oldest of them" },
    { name: "Last-Active", type: "date", jsonPath: ".status.lastActiveAt", description: "Last message or turn" },
    { name: "Reason", type: "string", jsonPath: ".status.reason", description: "Why it is not awake" },
    { name: "Pod", type: "string", jsonPath: ".status.podName", description: "Name of the running pod" },
  ],
};
