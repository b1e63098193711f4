import { groupObjectName, workspaceObjectName } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { MountPolicy } from "./mount-settings.ts";

type Mount = AgentGroup["spec"]["mounts"][number];

/** Claims with these beginnings hold what is not everybody's: they are mounted by what they were made for, and never so. */
const ownClaims = [groupObjectName(""), workspaceObjectName("")];

/**
 * What of an agent group's mounts the admin's policy does not allow. Pure.
 * @returns a sentence for each refused mount; empty when a pod may have all of them
 */
export function judgeMounts(policy: MountPolicy, namespace: string, mounts: readonly Mount[]): readonly string[] {
  const entries = policy.allow.filter(({ namespaces }) => namespaces?.includes(namespace) ?? true);
  return mounts.flatMap((mount) => {
    const { name, claimName } = mount;
    if (ownClaims.some((start) => claimName.startsWith(start))) {
      return [`The mount ${name} names ${claimName}, a volume of Copepod's own; use teamWorkspaces to share files.`];
    }
    const fitting = entries.filter(({ claimNames }) => claimNames.some((pattern) => isNamed(pattern, claimName)));
    if (fitting.some(({ readOnly }) => mount.readOnly || !readOnly)) return [];
    if (fitting.length > 0)
      return [`The claim ${claimName} may only be read; set readOnly: true for the mount ${name}.`];
    return [`The mount policy does not allow the claim ${claimName}; remove the mount ${name}, or ask an admin.`];
  });
}

const isNamed = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
