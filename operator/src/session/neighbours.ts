import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Workspace } from "@copepod/crds/workspace";

const isForOneNode = (accessModes: readonly string[]): boolean => !accessModes.includes("ReadWriteMany");

/**
 * Which pods have to share a node: those that a volume of one node connects, be it by way of other groups. Pure.
 * @param groups all of the namespace
 * @returns the first name of the connected groups; undefined when the group uses no such volume
 */
export function sharedNodeOf(
  group: AgentGroup,
  groups: Iterable<AgentGroup>,
  workspaces: ReadonlyMap<string, Workspace>,
): string | undefined {
  const narrow = ({ spec }: AgentGroup): string[] =>
    spec.teamWorkspaces
      .map(({ name }) => name)
      .filter((name) => isForOneNode(workspaces.get(name)?.spec.accessModes ?? []));
  if (narrow(group).length === 0) {
    return isForOneNode(group.spec.storage.accessModes) ? group.metadata.name : undefined;
  }
  const shares = new Map(Array.from(groups, (one) => [one.metadata.name, narrow(one)]));
  return connectedTo(group.metadata.name, shares).sort()[0];
}

/** Names that share something with this one, be it by way of others. */
function connectedTo(name: string, shares: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set([name]);
  // A set that grows while it is walked comes to what was added, too.
  for (const one of found) {
    const theirs = shares.get(one) ?? [];
    for (const [other, names] of shares) if (names.some((shared) => theirs.includes(shared))) found.add(other);
  }
  return [...found];
}
