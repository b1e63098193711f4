import { isDeepStrictEqual } from "node:util";
import { labels } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { Controller } from "@copepod/kube/controller/controller";
import { ownerKey, ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, type Source, sourceOf } from "@copepod/kube/controller/sources";
import { type HasMetadata, keyOf, type ObjectMeta } from "@copepod/kube/object";
import type { Caches, LeaderParts } from "../parts.ts";
import { sessions } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { factsOf } from "./facts.ts";
import { SessionKeeper } from "./keeper.ts";
import type { PodSeen } from "./pod-seen.ts";
import { RecentWrites } from "./recent.ts";

/** Many wakes at once wait for the API server, not for us. */
const workers = 8;

/** Keeps each session's pod as it is wanted: see `decide`. */
export function makeSessionController(
  parts: LeaderParts & { readonly newPlaceholder: () => string },
): Pick<Controller, "run"> {
  const { clock, random, log, caches } = parts;
  const recent = new RecentWrites(clock);
  const keeper = new SessionKeeper({ ...parts, recent }, (key) => controller.enqueue(key));
  const forget = [
    caches.pods.subscribe((_, change) => keeper.heardOf(change)),
    caches.sessions.subscribe((key, { after }) => {
      if (!after) recent.forgetSession(key);
    }),
  ];
  const controller = new Controller({
    ...{ name: "session", workers, clock, random, log, sources: sourcesOf(caches) },
    observer: parts.observerOf("session"),
    reconcile: (key, signal) => keeper.reconcile(key, signal),
  });
  return {
    run: async (options) => {
      try {
        return await controller.run(options);
      } finally {
        for (const end of forget) end();
      }
    },
  };
}

const lookedAt = (pod: PodSeen) => [factsOf(pod), pod.metadata.labels, pod.metadata.ownerReferences];

/** What a session is looked at again for: never the status, of which the router writes a part. */
function sourcesOf(caches: Caches): readonly Source[] {
  const ofGroup = (key: string): string[] => caches.sessions.byIndex("group", key).flatMap(ownKey);
  const ofGroupChild = ({ metadata: { namespace, labels: has } }: HasMetadata): string[] => {
    const name = has?.[labels.group];
    return name === undefined ? [] : ofGroup(keyOf({ namespace, name }));
  };
  const ofNaming = (namesIn: (spec: AgentGroup["spec"]) => readonly string[]) => {
    const isNamed = ({ resource }: Seen<AgentGroup>, { namespace, name = "" }: ObjectMeta): boolean =>
      resource !== undefined && resource.metadata.namespace === namespace && namesIn(resource.spec).includes(name);
    return ({ metadata }: HasMetadata): string[] =>
      [...caches.groups.values()]
        .filter((group) => isNamed(group, metadata))
        .flatMap(ownKey)
        .flatMap(ofGroup);
  };
  const workspacesIn = ({ teamWorkspaces }: AgentGroup["spec"]) => teamWorkspaces.map(({ name }) => name);
  const groupChildren = [caches.volumeClaims, caches.serviceAccounts, caches.configMaps, caches.networkPolicies];
  return [
    sourceOf(caches.sessions, { keysOf: ownKey, when: isMoreThanStatus }),
    sourceOf(caches.pods, {
      keysOf: ownerKey(sessions),
      when: (before, after) => !isDeepStrictEqual(lookedAt(before), lookedAt(after)),
    }),
    sourceOf(caches.groups, { keysOf: (group) => ownKey(group).flatMap(ofGroup), when: isMoreThanStatus }),
    sourceOf(caches.workspaces, { keysOf: ofNaming(workspacesIn), when: isMoreThanStatus }),
    sourceOf(caches.credentials, { keysOf: ofNaming(({ credentials }) => credentials), when: isMoreThanStatus }),
    ...groupChildren.map((cache) => sourceOf(cache, { keysOf: ofGroupChild })),
    sourceOf(caches.nodes, {
      keysOf: ({ metadata }) =>
        [...caches.pods.values()].filter(({ nodeName }) => nodeName === metadata.name).flatMap(ownerKey(sessions)),
      when: (before, after) => before.lostSince !== after.lostSince,
    }),
  ];
}
