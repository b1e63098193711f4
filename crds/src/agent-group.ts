import { maxTextLength } from "@copepod/core/limits";
import { z } from "zod";
import { type Definition, resourceSchema } from "./definition.ts";
import { durationSchema } from "./duration.ts";
import { countSchema, resourceNameSchema, textSchema, timeZoneSchema } from "./fields.ts";

const spec = z
  .strictObject({
    instructions: textSchema(maxTextLength)
      .default("")
      .describe("What the agent is and how it behaves, as text for the agent. Default empty."),
    agent: z
      .strictObject({
        provider: resourceNameSchema
          .default("demo")
          .describe('Harness that runs the agent. Default "demo", which needs no model.'),
        maxMessagesPerPrompt: countSchema(1, 100)
          .default(10)
          .describe("Messages that one prompt may hold. Default 10."),
      })
      .prefault({})
      .describe("How the agent runs."),
    session: z
      .strictObject({
        idleAfter: durationSchema
          .default("10m")
          .describe('Idle time after which a session goes to sleep, such as "90s" or "1h30m". Default "10m".'),
        maxRunning: countSchema(1, 1_000)
          .default(10)
          .describe("Sessions of the group that may be awake at the same time. Default 10."),
      })
      .prefault({})
      .describe("How sessions of the group live."),
    timeZone: timeZoneSchema.default("UTC").describe('IANA zone in which the agent is told times. Default "UTC".'),
  })
  .prefault({})
  .describe("What people decided about the agent group.");

const status = z.strictObject({
  sessions: countSchema(0, 1_000_000).optional().describe("Sessions of the group."),
  awake: countSchema(0, 1_000_000).optional().describe("Sessions that are awake."),
  waiting: countSchema(0, 1_000_000).optional().describe("Sessions that wait for a free place."),
});

export const agentGroupSchema = resourceSchema("AgentGroup", spec);
/** One agent identity: instructions, provider, limits. */
export type AgentGroup = z.output<typeof agentGroupSchema>;

export const agentGroupDefinition: Definition = {
  kind: "AgentGroup",
  plural: "agentgroups",
  shortName: "cpag",
  description: "One agent identity: its instructions, its provider and the limits of its sessions.",
  decidedByPeople: true,
  schema: agentGroupSchema,
  spec,
  status,
  columns: [
    { name: "Provider", type: "string", jsonPath: ".spec.agent.provider", description: "Harness of the agent" },
    { name: "Sessions", type: "integer", jsonPath: ".status.sessions", description: "Sessions of the group" },
    { name: "Awake", type: "integer", jsonPath: ".status.awake", description: "Sessions that are awake" },
    { name: "Waiting", type: "integer", jsonPath: ".status.waiting", description: "Sessions that wait for a place" },
  ],
};
