import { type AgentGroup, agentGroupSchema } from "@copepod/crds/agent-group";
import { apiVersion } from "@copepod/crds/definition";
import { type Workspace, workspaceSchema } from "@copepod/crds/workspace";
import { type Settings, settingsSchema } from "../../config.ts";
import type { Situation } from "../decide.ts";
import type { PodNow } from "../facts.ts";
import type { PodPlan } from "../pod.ts";
import { readStatus } from "../status.ts";

export const now = Date.UTC(2030, 0, 1);

export const group = (spec: object = {}, name = "helper"): AgentGroup =>
  agentGroupSchema.parse({ apiVersion, kind: "AgentGroup", metadata: { name, namespace: "agents" }, spec });

export const workspace = (name: string, spec: object = {}): Workspace =>
  workspaceSchema.parse({ apiVersion, kind: "Workspace", metadata: { name, namespace: "agents" }, spec });

export const settings = (more: object = {}): Settings =>
  settingsSchema.parse({
    images: { proxy: "proxy:1", agents: { demo: "agent:1" } },
    router: { mailboxUrl: "http://router.system:8081", namespace: "system", podLabels: { app: "router" } },
    ...more,
  });

export const plan = (more: Partial<PodPlan> = {}): PodPlan => ({
  session: { metadata: { namespace: "agents", name: "helper-1", uid: "session-uid" } },
  group: group(),
  agentImage: "agent:1",
  account: "account-uid",
  volumes: { keys: [] },
  sharesNode: "helper",
  rules: "rules-1",
  settings: settings(),
  ...more,
});

export const facts = (more: Partial<PodNow> = {}): PodNow => ({
  ...{ uid: "pod-uid", name: "helper-1-5", epoch: 5, ageMs: 1_000, lostSince: undefined, deletedAt: undefined },
  ...{ ended: undefined, isReady: false, isRunning: false, crashes: undefined, image: undefined, delay: undefined },
  ...{ template: "template-1", rules: "rules-1" },
  ...more,
});

/** A session that should be awake by epoch 5, has no pod, and could get one. */
export const situation = ({
  status,
  ...more
}: Partial<Omit<Situation, "status">> & { status?: object } = {}): Situation => ({
  ...{ now, wake: { wanted: true, epoch: 5 }, suspended: undefined, pods: [] },
  outlook: { kind: "possible", template: "template-1", rules: "rules-1" },
  forceLost: false,
  status: readStatus(status),
  ...more,
});
