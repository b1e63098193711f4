import { groupObjectName, podPaths, workspaceObjectName } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Credential } from "@copepod/crds/credential";

export interface VolumePlan {
  /** Secrets of the group's credentials, and which of their keys the proxy gets. */
  readonly keys: readonly { readonly name: string; readonly keys: readonly string[] }[];
}

/** What of which Secret the proxy of a group needs, each once and in one order. Pure. */
export function keysOf(credentials: readonly Credential[]): VolumePlan["keys"] {
  const bySecret = new Map<string, Set<string>>();
  for (const { secretRef } of credentials.map(({ spec }) => spec)) {
    if (!secretRef) continue;
    bySecret.set(secretRef.name, (bySecret.get(secretRef.name) ?? new Set()).add(secretRef.key));
  }
  return [...bySecret].sort(byName).map(([name, keys]) => ({ name, keys: [...keys].sort() }));
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** Volumes that outlive the pod. By number: names of workspaces are longer than those of volumes may be. */
export function volumesOf({ metadata, spec }: AgentGroup) {
  return [
    claim("files", groupObjectName(metadata.name)),
    ...spec.teamWorkspaces.map(({ name }, at) => claim(`team-${at}`, workspaceObjectName(name))),
    ...spec.mounts.map(({ claimName }, at) => claim(`mount-${at}`, claimName)),
  ];
}

/** Siblings, never one within another: a link planted at a nested mount point would lead the mount elsewhere. */
export function agentMounts({ spec }: AgentGroup, session: string) {
  return [
    { name: "files", mountPath: podPaths.workspace, subPath: `sessions/${session}` },
    { name: "files", mountPath: podPaths.agent, subPath: "agent" },
    ...spec.teamWorkspaces.map(({ name, readOnly }, at) => mount(`team-${at}`, `${podPaths.team}/${name}`, readOnly)),
    ...spec.mounts.map(({ name, readOnly }, at) => mount(`mount-${at}`, `${podPaths.mounts}/${name}`, readOnly)),
  ];
}

const claim = (name: string, claimName: string) => ({ name, persistentVolumeClaim: { claimName } });

const mount = (name: string, mountPath: string, readOnly: boolean) => ({
  name,
  mountPath,
  ...(readOnly ? { readOnly } : {}),
});
