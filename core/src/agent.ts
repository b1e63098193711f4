import { z } from "zod";
import { nameSchema } from "./messages.ts";

/** How long a model may think, as an agent group says it. Each provider translates it for its harness. */
export const efforts = ["Low", "Medium", "High"] as const;
export type Effort = (typeof efforts)[number];

/** An MCP server that runs inside the session, as a child of the harness. */
export const mcpServerSchema = z.strictObject({
  name: nameSchema,
  command: nameSchema,
  args: z.array(z.string().max(4_096)).max(100),
  env: z.record(z.string(), z.string().max(4_096)),
});
export type McpServerSettings = z.output<typeof mcpServerSchema>;

/** What an agent group decides about its agent, as far as the provider has to know. */
export const agentSettingsSchema = z.object({
  /** Name of a model as the provider's API knows it; absent = the harness's own default. */
  model: nameSchema.optional(),
  effort: z.enum(efforts).optional(),
  mcpServers: z.array(mcpServerSchema),
  /** Names of folders in `skills/` of the agent group's folder. */
  skills: z.array(nameSchema),
  /** Further environment of the provider's processes; absent = none. */
  env: z.record(z.string(), z.string().max(4_096)).optional(),
});
export type AgentSettings = z.output<typeof agentSettingsSchema>;
