import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Credential } from "@copepod/crds/credential";
import type { Session } from "@copepod/crds/session";
import type { Workspace } from "@copepod/crds/workspace";
import type { Cache } from "@copepod/kube/cache/cache";
import type { KubeClient } from "@copepod/kube/client/client";
import type { Clock } from "@copepod/kube/clock";
import type { ControllerObserver } from "@copepod/kube/controller/controller";
import type { EventRecorder } from "@copepod/kube/controller/events";
import type { Fence } from "@copepod/kube/lease/fence";
import type { Log } from "@copepod/kube/log";
import type { KubeObject } from "@copepod/kube/object";
import type { Settings } from "./config.ts";
import type { Seen } from "./seen.ts";
import type { NodeSeen } from "./session/node.ts";
import type { PodSeen } from "./session/pod-seen.ts";

/**
 * What controllers read: all watched namespaces in each cache, keys as `keyOf` makes them. What is not one of our kinds has
 * the label `managed-by: copepod-operator`, nodes and network policies aside; something else of somebody else's that has one of
 * our names is in no cache.
 */
export interface Caches {
  readonly groups: Cache<Seen<AgentGroup>>;
  /** Indexes: `group`. */
  readonly sessions: Cache<Seen<Session>>;
  readonly workspaces: Cache<Seen<Workspace>>;
  readonly credentials: Cache<Seen<Credential>>;
  /** Pods of sessions. Indexes: `session` (keys of their Sessions), `group` (keys of agent groups). */
  readonly pods: Cache<PodSeen>;
  readonly volumeClaims: Cache<KubeObject>;
  readonly serviceAccounts: Cache<KubeObject>;
  readonly configMaps: Cache<KubeObject>;
  /** Those of others too: one that selects pods of sessions may open what ours closes. */
  readonly networkPolicies: Cache<KubeObject>;
  readonly nodes: Cache<NodeSeen>;
}

/** What lives as long as the program. */
export interface Parts {
  readonly caches: Caches;
  /** For reads that no cache can answer, such as "whose is the object that has this name?". Writes go through the fence. */
  readonly client: Pick<KubeClient, "get" | "page">;
  /** For what is not normal, and for nothing else. */
  readonly events: Pick<EventRecorder, "record">;
  readonly settings: Settings;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** What a controller is given at the begin of a leadership. */
export interface LeaderParts extends Parts {
  readonly fence: Pick<Fence, "create" | "mergePatch" | "delete">;
  /** @param controller its name, in metrics */
  readonly observerOf: (controller: string) => ControllerObserver;
}
