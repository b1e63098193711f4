import { maxNameLength } from "@copepod/core/limits";
import { z } from "zod";
import { type Definition, resourceSchema } from "./definition.ts";
import { engageSchema, unaddressedSchema, unknownSendersSchema } from "./engage.ts";
import { countSchema, lineSchema, resourceNameSchema } from "./fields.ts";
import { withRule } from "./rule.ts";

const conversation = withRule(
  z.strictObject({
    id: lineSchema(maxNameLength)
      .min(1)
      .optional()
      .describe("The adapter's address of one conversation. Required without kind."),
    kind: z
      .enum(["Direct", "Group"])
      .optional()
      .describe(
        "All direct conversations, or all groups; a wiring with an id comes before one with a kind. Required without id.",
      ),
  }),
  {
    cel: "has(self.id) != has(self.kind)",
    message: "exactly one of id and kind is required",
    holds: ({ id, kind }) => (id === undefined) !== (kind === undefined),
  },
);

const specObject = z.strictObject({
  channel: resourceNameSchema.describe("Channel of the conversations."),
  conversation: conversation.describe("Which conversations of the channel: by id or by kind."),
  group: resourceNameSchema.optional().describe("Agent group that answers. Required for action Answer."),
  action: z
    .enum(["Answer", "Ignore"])
    .default("Answer")
    .describe("Answer: the agent group answers. Ignore: nobody does. Default Answer."),
  engage: engageSchema.optional().describe("Which messages start a turn. Default: as the channel says."),
  senders: z
    .enum(["All", "Known"])
    .default("All")
    .describe("Whose messages start a turn: everyone's, or those of people whom a User lists. Default All."),
  unknownSenders: unknownSendersSchema
    .optional()
    .describe(
      "Strict: people whom no User lists are refused. Public: they are answered. Default: as the channel says.",
    ),
  unaddressed: unaddressedSchema
    .optional()
    .describe("Messages that start no turn: Drop or Accumulate. Default: as the channel says."),
  sessionMode: z
    .enum(["Shared", "PerThread", "AgentShared"])
    .default("Shared")
    .describe(
      "Shared: one session per conversation. PerThread: one per thread. AgentShared: one for the agent group. " +
        "Default Shared.",
    ),
  priority: countSchema(0, 1_000).default(0).describe("The greater one comes first. Default 0."),
});

const spec = withRule(specObject, {
  cel: "self.action != 'Answer' || has(self.group)",
  message: "group is required for action Answer",
  holds: ({ action, group }) => action !== "Answer" || group !== undefined,
}).describe("What people decided about the conversations.");

export const wiringSchema = resourceSchema("Wiring", spec);
/** "These conversations are answered by this agent group, in this way." */
export type Wiring = z.output<typeof wiringSchema>;

export const wiringDefinition: Definition = {
  kind: "Wiring",
  plural: "wirings",
  shortName: "cpwire",
  description: "Says which conversations are answered by which agent group, and how.",
  decidedByPeople: true,
  schema: wiringSchema,
  spec,
  status: z.strictObject({}),
  columns: [
    { name: "Channel", type: "string", jsonPath: ".spec.channel", description: "Channel" },
    { name: "Group", type: "string", jsonPath: ".spec.group", description: "Agent group that answers" },
    { name: "Action", type: "string", jsonPath: ".spec.action", description: "Answer or Ignore" },
    { name: "Priority", type: "integer", jsonPath: ".spec.priority", description: "The greater one comes first" },
  ],
};
