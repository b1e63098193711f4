import { efforts } from "@copepod/core/agent";
import { maxTextLength } from "@copepod/core/limits";
import { z } from "zod";
import { type Definition, resourceSchema } from "./definition.ts";
import { durationSchema } from "./duration.ts";
import {
  countSchema,
  lineSchema,
  namedListOf,
  resourceNameSchema,
  setOf,
  textSchema,
  timeZoneSchema,
} from "./fields.ts";
import { withRule } from "./rule.ts";

const maxModelLength = 200;
const maxCommandLength = 512;
/** Longest argument and value of a variable, in characters. */
const maxArgumentLength = 4_096;
const maxArguments = 100;
const maxVariables = 100;
const maxMcpServers = 20;
const maxSkills = 100;
const maxCredentials = 20;

const variable = z.strictObject({
  name: z
    .string()
    .max(100)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable")
    .describe("Name of the variable."),
  value: textSchema(maxArgumentLength).describe("Its value. No place for keys: the agent can read it."),
});

const mcpServer = z.strictObject({
  name: withRule(resourceNameSchema, {
    cel: "self != 'copepod'",
    message: '"copepod" is the server of Copepod\'s own tools',
    holds: (name) => name !== "copepod",
  }).describe("Name of the server, which its tools carry."),
  command: lineSchema(maxCommandLength)
    .min(1)
    .describe("Program that is started in the session; it speaks over stdio."),
  args: z.array(textSchema(maxArgumentLength)).max(maxArguments).default([]).describe("Its arguments. Default none."),
  env: namedListOf(variable, { max: maxVariables }).default([]).describe("Its further environment. Default none."),
});

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
        model: lineSchema(maxModelLength)
          .min(1)
          .optional()
          .describe("Model, by the name that the provider's API knows. Default: the harness's own."),
        effort: z
          .enum(efforts)
          .optional()
          .describe("How much the model thinks before it answers. Default: the harness's own."),
        maxMessagesPerPrompt: countSchema(1, 100)
          .default(10)
          .describe("Messages that one prompt may hold. Default 10."),
      })
      .prefault({})
      .describe("How the agent runs."),
    tools: z
      .strictObject({
        mcpServers: namedListOf(mcpServer, { max: maxMcpServers })
          .default([])
          .describe("MCP servers that run in each session, beside Copepod's own. Default none."),
        skills: setOf(resourceNameSchema, { min: 0, max: maxSkills })
          .default([])
          .describe("Folders in `skills/` of the agent group's folder that are given to the harness. Default none."),
      })
      .prefault({})
      .describe("What the agent can use beside its harness's own tools."),
    credentials: setOf(resourceNameSchema, { min: 0, max: maxCredentials })
      .default([])
      .describe(
        "Credentials whose keys the agent's requests get. Of several model APIs that fit the provider the first counts. " +
          "Default none.",
      ),
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
/** One agent identity: instructions, provider, tools, limits. */
export type AgentGroup = z.output<typeof agentGroupSchema>;

export const agentGroupDefinition: Definition = {
  kind: "AgentGroup",
  plural: "agentgroups",
  shortName: "cpag",
  description:
    "One agent identity: its instructions, its provider, its tools and keys, and the limits of its sessions.",
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
