import { createHash } from "node:crypto";
import { annotations, groupObjectName, labels, operatorName, rulesKey } from "@copepod/core/cluster";
import type { ProxyRules } from "@copepod/core/proxy-rules";
import { controllingOwner, isControlledBy } from "@copepod/kube/controller/owners";
import type { HasMetadata, KubeObject, Resource } from "@copepod/kube/object";
import { agentGroups, configMaps, networkPolicies, serviceAccounts } from "../resources.ts";
import { type EgressWish, sessionPodLabels, sessionPolicySpec } from "./egress.ts";

export interface GroupWish {
  readonly egress: EgressWish;
  readonly rules: ProxyRules;
}

interface WantedChild {
  /** Where it is looked for first. */
  readonly cache: "networkPolicies" | "serviceAccounts" | "configMaps";
  readonly resource: Resource;
  readonly wanted: KubeObject;
  readonly isOwn: (object: HasMetadata) => boolean;
}

/** All that an agent group has beside its volume, the policy first: no pod shall ever be without. Pure. */
export function groupChildren(group: HasMetadata, { egress, rules }: GroupWish): readonly WantedChild[] {
  const { namespace, name = "" } = group.metadata;
  const marks = {
    namespace,
    name: groupObjectName(name),
    labels: { [labels.managedBy]: operatorName, [labels.group]: name },
  };
  const owned = { ...marks, ownerReferences: [controllingOwner(agentGroups, group)] };
  const text = JSON.stringify(rules);
  const isOwn = (object: HasMetadata) => isControlledBy(object, group);
  return [
    {
      cache: "networkPolicies",
      resource: networkPolicies,
      wanted: { metadata: marks, spec: sessionPolicySpec(sessionPodLabels(name), egress) },
      isOwn: isPolicyOf(name),
    },
    {
      cache: "serviceAccounts",
      resource: serviceAccounts,
      wanted: { metadata: owned, automountServiceAccountToken: false },
      isOwn,
    },
    {
      cache: "configMaps",
      resource: configMaps,
      wanted: {
        metadata: { ...owned, annotations: { [annotations.rules]: hashOf(text) } },
        data: { [rulesKey]: text },
      },
      isOwn,
    },
  ];
}

/**
 * The policy has no owner, and is known by its labels: the garbage collector would remove it together with the group, while
 * pods still end.
 */
export const isPolicyOf =
  (group: string) =>
  ({ metadata: { name, labels: has } }: HasMetadata): boolean =>
    name === groupObjectName(group) && has?.[labels.managedBy] === operatorName && has[labels.group] === group;

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
