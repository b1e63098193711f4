/**
 * Names by which the programs of a cluster meet: the operator makes what they stand for, the router, the command line and
 * the chart look for it. `docs/adr/0020-the-system-in-a-cluster.md` says why.
 */

/** Of service-account tokens: a token for one API is worth nothing at another. */
export const audiences = { mailbox: "copepod-router", channel: "copepod-channel", admin: "copepod-admin" } as const;

/** TCP ports, the same in containers and Services. */
export const ports = {
  mailbox: 8081,
  channel: 8082,
  admin: 8083,
  /** Health and metrics of every program, without authentication. */
  metrics: 9090,
} as const;

/** Labels of what the operator makes. Values are names of resources, at most 63 characters. */
export const labels = {
  managedBy: "app.kubernetes.io/managed-by",
  /** `session` on pods of sessions. */
  component: "copepod.dev/component",
  group: "copepod.dev/group",
  session: "copepod.dev/session",
  workspace: "copepod.dev/workspace",
  /** Pods with the same value share a volume that only one node can have: they run on one node. */
  sharesNode: "copepod.dev/shares-node",
  /** `true` on the volume claim of a resource that was deleted. */
  kept: "copepod.dev/kept",
} as const;

export const annotations = {
  /** On pods of sessions: hash of all that only a new pod can change. */
  template: "copepod.dev/template",
  /** On a group's ConfigMap, and on pods: hash of the rules. A pod whose annotation changes gets its files anew at once. */
  rules: "copepod.dev/rules",
  /** On a volume claim: whose files it has. */
  about: "copepod.dev/about",
  /** On a volume claim: when the resource was found deleted. */
  keptSince: "copepod.dev/kept-since",
  /** By people, on a resource whose volume is gone: `true` = make a new, empty one. */
  newVolume: "copepod.dev/new-volume",
} as const;

/** Of resources whose volume is to be deleted with them. */
export const volumeFinalizer = "copepod.dev/volume";

/** Value of `labels.managedBy`. */
export const operatorName = "copepod-operator";

/** Name of all objects of an agent group: service account, volume claim, network policy, and the ConfigMap of rules. */
export const groupObjectName = (group: string): string => `copepod-group-${group}`;

/** Name of a workspace's volume claim. */
export const workspaceObjectName = (workspace: string): string => `copepod-workspace-${workspace}`;

/** What the name of a Channel's service account begins with; the Channel's name follows. */
export const channelAccountPrefix = "copepod-channel-";

/** Reason of a Session's condition `Ready` while its pod starts and nothing keeps it from that; any other one is told. */
export const startingReason = "Starting";

/** The key in a group's ConfigMap, and the file that the proxy reads. */
export const rulesKey = "rules.json";

/** @returns `<session>-<epoch>`: two operators that believe to lead collide on the name. */
export const podNameOf = (session: string, epoch: number): string => `${session}-${epoch}`;

/** The reverse of `podNameOf`; undefined for a name that is none of a session's pod. */
export function parsePodName(name: string): { readonly session: string; readonly epoch: number } | undefined {
  const found = /^(.+)-([1-9][0-9]{0,15})$/.exec(name);
  const [session, epoch] = [found?.[1], Number(found?.[2])];
  return session === undefined || !Number.isSafeInteger(epoch) ? undefined : { session, epoch };
}

/** What a session's pod gets from SIGTERM to SIGKILL: the runner ends its turn a little earlier, the proxy serves it till then. */
export const podGraceMs = 60_000;

/** Names of the two containers. */
export const containers = { proxy: "credential-proxy", agent: "agent" } as const;

/** Folders in the containers of a session's pod: siblings, never one within another. */
export const podPaths = {
  /** Volume that both containers share: the proxy writes, the agent reads. */
  run: "/run/copepod",
  socket: "/run/copepod/proxy.sock",
  instructions: "/run/copepod/instructions",
  token: "/var/run/secrets/copepod/token",
  rules: "/etc/copepod/rules",
  keys: "/etc/copepod/keys",
  workspace: "/workspace",
  agent: "/agent",
  team: "/team",
  mounts: "/mnt",
} as const;

/** User and group ids in a session's pod. What the proxy shares with the agent belongs to the agent's group (`fsGroup`). */
export const podIds = { agent: 10_001, proxy: 10_002 } as const;

/** User and group id of the router and of the operator. */
export const systemId = 10_000;
