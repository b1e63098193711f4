import { z } from "zod";
import { type Definition, resourceSchema } from "./definition.ts";
import { engageSchema, unaddressedSchema, unknownSendersSchema } from "./engage.ts";
import { countSchema, freeObjectSchema, lineSchema, resourceNameSchema } from "./fields.ts";

const defaultSenderRatePerMinute = 120;

const spec = z
  .strictObject({
    type: resourceNameSchema.describe('Adapter that serves the channel, such as "terminal".'),
    config: freeObjectSchema
      .default({})
      .describe("Settings of the adapter; each adapter documents and checks its own. Default empty."),
    defaults: z
      .strictObject({
        unknownSenders: unknownSendersSchema
          .default("Strict")
          .describe("Strict: people whom no User lists are refused. Public: they are answered. Default Strict."),
        engage: engageSchema
          // Complete, since the API server checks the rules of a default before it fills in the defaults within.
          .prefault({ mode: "Mention", pattern: "." })
          .describe("Which messages start a turn. Default: those that address the agent."),
        unaddressed: unaddressedSchema
          .default("Drop")
          .describe(
            "Other messages. Drop: they are forgotten. Accumulate: they are context of the next turn. Default Drop.",
          ),
      })
      .prefault({})
      .describe("What holds for conversations of the channel, unless a wiring says otherwise."),
    senderRatePerMinute: countSchema(1, 1_000_000)
      .default(defaultSenderRatePerMinute)
      .describe(
        `Messages that one person may send in a minute; more are refused. Default ${defaultSenderRatePerMinute}.`,
      ),
  })
  .describe("What people decided about the channel.");

const status = z.strictObject({
  state: z
    .enum(["starting", "ready", "degraded", "authRequired", "stopped"])
    .optional()
    .describe("How the connection to the platform is."),
  detail: lineSchema(2_000).optional().describe("A sentence about the state."),
});

export const channelSchema = resourceSchema("Channel", spec);
/** One account on one platform. */
export type Channel = z.output<typeof channelSchema>;

export const channelDefinition: Definition = {
  kind: "Channel",
  plural: "channels",
  shortName: "cpch",
  description: "One account on one platform, such as a bot. Several per platform are normal.",
  decidedByPeople: true,
  schema: channelSchema,
  spec,
  status,
  columns: [
    { name: "Type", type: "string", jsonPath: ".spec.type", description: "Adapter" },
    { name: "State", type: "string", jsonPath: ".status.state", description: "Connection to the platform" },
    { name: "Detail", type: "string", jsonPath: ".status.detail", description: "A sentence about the state" },
  ],
};
