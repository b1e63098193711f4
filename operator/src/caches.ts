import { labels, operatorName } from "@copepod/core/cluster";
import { agentGroupSchema } from "@copepod/crds/agent-group";
import { credentialSchema } from "@copepod/crds/credential";
import { sessionSchema } from "@copepod/crds/session";
import { workspaceSchema } from "@copepod/crds/workspace";
import type { Cache } from "@copepod/kube/cache/cache";
import type { IndexFunctions } from "@copepod/kube/cache/indexes";
import type { Reflectors } from "@copepod/kube/cache/reflectors";
import { ownerKey } from "@copepod/kube/controller/owners";
import { type HasMetadata, type KubeObject, keyOf, type Resource } from "@copepod/kube/object";
import { JoinedCache } from "./joined-cache.ts";
import type { Caches } from "./parts.ts";
import {
  agentGroups,
  configMaps,
  credentials,
  networkPolicies,
  nodes,
  pods,
  serviceAccounts,
  sessions,
  volumeClaims,
  workspaces,
} from "./resources.ts";
import { seeAs, slim } from "./seen.ts";
import { seeNode } from "./session/node.ts";
import { seePod } from "./session/pod-seen.ts";

interface Kept<T> {
  readonly resource: Resource;
  readonly labelSelector?: string;
  readonly transform: (object: KubeObject) => T;
  readonly indexes?: IndexFunctions<T>;
}

/** Declares all that the operator follows. */
export function declareCaches(reflectors: Reflectors, namespaces: readonly string[]): Caches {
  const follow = <T>(kept: Kept<T>): Cache<T> => {
    const declare = (namespace: string) =>
      reflectors.declare({ ...kept, namespace, name: `${namespace}/${kept.resource.plural}` });
    return new JoinedCache(new Map(namespaces.map((namespace) => [namespace, declare(namespace)])));
  };
  const followOwn = (resource: Resource) => follow({ resource, labelSelector, transform: withoutCopies });
  return {
    groups: follow({ resource: agentGroups, transform: seeAs(agentGroups, agentGroupSchema) }),
    sessions: follow({
      resource: sessions,
      transform: seeAs(sessions, sessionSchema),
      indexes: {
        group: ({ metadata: { namespace }, resource }) =>
          resource ? [keyOf({ namespace, name: resource.spec.group })] : [],
      },
    }),
    workspaces: follow({ resource: workspaces, transform: seeAs(workspaces, workspaceSchema) }),
    credentials: follow({ resource: credentials, transform: seeAs(credentials, credentialSchema) }),
    pods: follow({
      resource: pods,
      labelSelector,
      transform: seePod,
      indexes: { session: ownerKey(sessions), group: groupKey },
    }),
    volumeClaims: followOwn(volumeClaims),
    serviceAccounts: followOwn(serviceAccounts),
    configMaps: followOwn(configMaps),
    networkPolicies: follow({ resource: networkPolicies, transform: withoutCopies }),
    nodes: reflectors.declare({ resource: nodes, transform: seeNode }),
  };
}

const labelSelector = `${labels.managedBy}=${operatorName}`;

const withoutCopies = (object: KubeObject): KubeObject => ({ ...object, metadata: slim(object.metadata) });

function groupKey({ metadata: { namespace, labels: has } }: HasMetadata): string[] {
  const name = has?.[labels.group];
  return name === undefined ? [] : [keyOf({ namespace, name })];
}
