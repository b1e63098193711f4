import { isDeepStrictEqual } from "node:util";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Session } from "@copepod/crds/session";
import { ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, type Source, sourceOf } from "@copepod/kube/controller/sources";
import { type HasMetadata, type KubeObject, keyOf } from "@copepod/kube/object";
import type { Caches } from "../parts.ts";
import type { Seen } from "../seen.ts";
import { conditionOf } from "../status/status.ts";
import { groupOf, groupsThat } from "./gather.ts";
import { isPolicyOf } from "./group-children.ts";

/** What an agent group is looked at again for. */
export function groupSources(caches: Caches): readonly Source[] {
  const ofLabel = (object: HasMetadata): string[] => {
    const name = groupOf(object);
    return name === undefined ? [] : [keyOf({ namespace: object.metadata.namespace, name })];
  };
  const groupKeys = (namespace: string | undefined, isSo: (spec: AgentGroup["spec"]) => boolean): string[] =>
    groupsThat(caches, namespace, isSo).map((name) => keyOf({ namespace, name }));
  const ofPolicy = (policy: KubeObject): string[] =>
    isPolicyOf(groupOf(policy) ?? "")(policy) ? ofLabel(policy) : groupKeys(policy.metadata.namespace, () => true);
  return [
    sourceOf(caches.groups, { keysOf: ownKey, when: isMoreThanStatus }),
    sourceOf(caches.sessions, { keysOf: ofSession, when: countsDiffer }),
    sourceOf(caches.pods, { keysOf: ofLabel, when: () => false }),
    ...[caches.volumeClaims, caches.serviceAccounts, caches.configMaps].map((cache) =>
      sourceOf(cache, { keysOf: ofLabel }),
    ),
    sourceOf(caches.networkPolicies, { keysOf: ofPolicy }),
    sourceOf(caches.credentials, {
      keysOf: ({ metadata: { namespace, name = "" } }) =>
        groupKeys(namespace, ({ credentials }) => credentials.includes(name)),
      when: isMoreThanReadiness,
    }),
    sourceOf(caches.workspaces, {
      keysOf: ({ metadata: { namespace, name = "" } }) =>
        groupKeys(namespace, ({ teamWorkspaces }) => teamWorkspaces.some((one) => one.name === name)),
      when: isMoreThanReadiness,
    }),
  ];
}

const ofSession = ({ metadata: { namespace }, resource }: Seen<Session>): string[] =>
  resource ? [keyOf({ namespace, name: resource.spec.group })] : [];

/** Only whether something waits counts, not how much. */
const countsDiffer = (before: Seen<Session>, after: Seen<Session>): boolean =>
  before.status.phase !== after.status.phase ||
  Number(before.status.pending ?? 0) > 0 !== Number(after.status.pending ?? 0) > 0;

const isMoreThanReadiness = (before: Seen<unknown>, after: Seen<unknown>): boolean =>
  isMoreThanStatus(before, after) || !isDeepStrictEqual(conditionOf(before, "Ready"), conditionOf(after, "Ready"));
