import { z } from "zod";
import { type Client, endpoint, queryInt } from "./endpoint.ts";
import { longPollMs } from "./limits.ts";
import { proxyRulesSchema } from "./proxy-rules.ts";

export const podPhases = ["Starting", "Running", "Draining", "Failed"] as const;

/** One session process pair, or one adapter host, as the supervisor sees it. */
export const podSchema = z.object({
  /** Row key of the session: `<namespace>/<name>`. */
  session: z.string(),
  epoch: z.int(),
  podUid: z.string(),
  /** Hex sha256 of the token that the proxy sends. */
  tokenHash: z.string(),
  phase: z.enum(podPhases),
  /** Why a pod is Failed, in one sentence. */
  reason: z.string().optional(),
});
export type Pod = z.output<typeof podSchema>;

export const hostSchema = z.object({
  /** Row key of the Channel: `<namespace>/<name>`. */
  channel: z.string(),
  tokenHash: z.string(),
  phase: z.enum(podPhases),
  reason: z.string().optional(),
});
export type Host = z.output<typeof hostSchema>;

/** A folder of this machine that several agent groups share. */
export const teamWorkspaceSchema = z.object({
  /** Row key of the Workspace: `<namespace>/<name>`. */
  workspace: z.string(),
  readOnly: z.boolean(),
});
export type TeamWorkspace = z.output<typeof teamWorkspaceSchema>;

/** The supervisor's socket, which stands for the operator in local mode. */
export const supervisorApi = {
  putWanted: endpoint({
    method: "PUT",
    path: "/v1/sessions/:session",
    summary: "Says whether a session should be awake, and with which epoch. The last word counts.",
    input: z.object({
      session: z.string(),
      wanted: z.boolean(),
      epoch: queryInt,
      group: z.string(),
      /** Rules of the session's proxy; those of a running session are replaced. */
      rules: proxyRulesSchema,
      /** Workspaces that the group shares with others; those of a running session stay as they were at its start. */
      team: z.array(teamWorkspaceSchema).default([]),
    }),
    output: z.object({}),
  }),
  putChannels: endpoint({
    method: "PUT",
    path: "/v1/channels",
    summary: "The full list of channels that need an adapter host.",
    input: z.object({ channels: z.array(z.object({ channel: z.string(), type: z.string() })) }),
    output: z.object({}),
  }),
  watch: endpoint({
    method: "GET",
    path: "/v1/processes",
    summary: "The full list of what runs; waits for a change when `version` is the present one.",
    input: z.object({ version: queryInt, waitMs: queryInt.min(0).max(longPollMs) }),
    output: z.object({ version: z.int(), pods: z.array(podSchema), hosts: z.array(hostSchema) }),
  }),
};

export type SupervisorClient = Client<typeof supervisorApi>;
