import { efforts } from "@copepod/core/agent";
import { maxTextLength } from "@copepod/core/limits";
import { z } from "zod";
import { conditionsSchema, readyColumns } from "./conditions.ts";
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
import { podOverridesSchema } from "./pod-overrides.ts";
import { withRule } from "./rule.ts";
import { objectNameSchema, storageFields } from "./storage.ts";

const maxModelLength = 200;
const maxCommandLength = 512;
/** Longest argument and value of a variable, in characters. */
const maxArgumentLength = 4_096;
const maxArguments = 100;
const maxVariables = 100;
const maxMcpServers = 20;
const maxSkills = 100;
const maxCredentials = 20;
const maxImageLength = 512;
const maxWorkspaces = 20;
const maxMounts = 10;
const maxRanges = 50;
const maxPorts = 20;

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

const teamWorkspace = z.strictObject({
  name: resourceNameSchema.describe("Name of the Workspace; the agent has it at `/team/<name>`."),
  readOnly: z.boolean().default(false).describe("true: agents of the group can only read it. Default false."),
});

const mount = z.strictObject({
  name: resourceNameSchema.describe("The agent has it at `/mnt/<name>`."),
  claimName: objectNameSchema.describe("PersistentVolumeClaim in the namespace."),
  readOnly: z.boolean().default(true).describe("false: the agent may write. Default true."),
});

const amount = z
  .string()
  .max(20)
  .regex(/^[0-9]{1,9}(\.[0-9]{1,3})?(m|Ki|Mi|Gi|Ti)?$/, "must be an amount such as 500m, 2 or 1Gi");

const amounts = z.strictObject({
  cpu: amount.optional().describe("Processors, such as `500m`. Default: not said."),
  memory: amount.optional().describe("Memory, such as `1Gi`. Default: not said."),
});

const range = z.strictObject({
  cidr: withRule(
    z
      .string()
      .max(43)
      .regex(/^[0-9a-f.:]+\/[0-9]{1,3}$/, "must be a range of addresses such as 10.1.0.0/16"),
    { cel: "isCIDR(self)", message: "must be a range of addresses such as 10.1.0.0/16", holds: isRange },
  ).describe("Range of addresses."),
  ports: z.array(countSchema(1, 65_535)).max(maxPorts).default([]).describe("TCP ports. Default: all."),
});

const onNodeLost = z
  .enum(["Wait", "Force"])
  .default("Wait")
  .describe(
    "What happens to a session whose node is lost. Wait: until the node is back or removed. Force: its pod is given up " +
      "at once, which is safe only when the node is surely dead. Default Wait.",
  );

const spec = z
  .strictObject({
    suspended: z
      .boolean()
      .default(false)
      .describe("true: no session of the group is awake, whatever waits. Default false."),
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
        image: lineSchema(maxImageLength)
          .min(1)
          .optional()
          .describe("In a cluster: container image of the agent. Default: the installation's image for the provider."),
        env: namedListOf(variable, { max: maxVariables })
          .default([])
          .describe("Further environment of the agent. No place for keys. Default none."),
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
        retainFor: durationSchema
          .optional()
          .describe(
            "In a cluster: the Session of a conversation that slept for this long is removed; its messages and files " +
              "stay, and bring it back. Default: never.",
          ),
        resources: z
          .strictObject({
            requests: amounts.optional().describe("What the agent gets in any case. Default: the limits."),
            limits: amounts.optional().describe("What it never exceeds. Default: nothing bounds it."),
          })
          .optional()
          .describe("In a cluster: resources of the agent's container. Default: the installation's."),
        runtimeClassName: objectNameSchema
          .optional()
          .describe(
            "In a cluster: RuntimeClass of the pods, such as one of gVisor or Kata. Default: the installation's.",
          ),
        onNodeLost,
        podOverrides: podOverridesSchema
          .optional()
          .describe("In a cluster: settings of the pods, as Kubernetes documents them. Default none."),
      })
      .prefault({})
      .describe("How sessions of the group live."),
    storage: z
      .strictObject(storageFields)
      .prefault({})
      .describe("In a cluster: the volume with the files of the group and of its sessions."),
    teamWorkspaces: namedListOf(teamWorkspace, { max: maxWorkspaces })
      .default([])
      .describe("Workspaces that the group shares with others. Default none."),
    mounts: namedListOf(mount, { max: maxMounts })
      .default([])
      .describe("In a cluster: existing volumes, as far as the installation's mount policy allows them. Default none."),
    network: z
      .strictObject({
        allow: z
          .array(range)
          .max(maxRanges)
          .default([])
          .describe("Private addresses that the group's pods may reach, beside the internet. Default none."),
      })
      .prefault({})
      .describe("In a cluster: what the group's pods may reach."),
    timeZone: timeZoneSchema.default("UTC").describe('IANA zone in which the agent is told times. Default "UTC".'),
  })
  .prefault({})
  .describe("What people decided about the agent group.");

const status = z.strictObject({
  sessions: countSchema(0, 1_000_000).optional().describe("Sessions of the group."),
  awake: countSchema(0, 1_000_000).optional().describe("Sessions that are awake."),
  waiting: countSchema(0, 1_000_000).optional().describe("Sessions that wait for a free place."),
  conditions: conditionsSchema,
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
    ...readyColumns,
  ],
};

function isRange(text: string): boolean {
  return z.union([z.cidrv4(), z.cidrv6()]).safeParse(text).success;
}
