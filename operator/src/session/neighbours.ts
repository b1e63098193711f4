import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Workspace } from "@copepod/crds/workspace";

/** Kubernetes' own. No name of a group has a dot: the two kinds of values differ. */
const maxLabelValue = 63;

const isForOneNode = (accessModes: readonly string[]): boolean => !accessModes.includes("ReadWriteMany");

/**
 * Which pods have to share a node: those that a volume of one node connects, be it by way of other groups. Pure.
 * @param groups all of the namespace
 * @returns by the first of the connected workspaces: a group that joins it changes no pod of the others. By the group's own name
 * where it shares none; undefined when it uses no such volume
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
  const own = narrow(group);
  if (own.length === 0) return isForOneNode(group.spec.storage.accessModes) ? group.metadata.name : undefined;
  const [first = ""] = connectedTo(own, Array.from(groups, narrow)).sort();
  return `workspace.${first}`.slice(0, maxLabelValue).replace(/-+$/, "");
}

/** Workspaces that are used together with these, be it by way of others. */
function connectedTo(names: readonly string[], used: readonly (readonly string[])[]): string[] {
  const found = new Set(names);
  // A set that grows while it is walked comes to what was added, too.
  for (const one of found) {
    const others = used.filter((together) => together.includes(one)).flat();
    for (const other of others) found.add(other);
  }
  return [...found];
}
