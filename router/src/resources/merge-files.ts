import { isDeepStrictEqual } from "node:util";
import { keyOf } from "@copepod/core/addresses";
import type { Problem } from "@copepod/core/admin-api";
import type { Resource } from "@copepod/crds/kinds";
import type { Entry, FileContent } from "./resource-file.ts";
import type { Resources } from "./resource-store.ts";

/** By path: the entries of each file that count now. */
export type InForce = ReadonlyMap<string, readonly Entry[]>;

interface Merged {
  readonly inForce: InForce;
  readonly problems: readonly Problem[];
}

/**
 * Decides what counts. A file that is bad, or names a resource that an earlier path has, keeps its last good state.
 * @param contents in the order of paths @param before what counted until now
 */
export function mergeFiles(contents: ReadonlyMap<string, FileContent>, before: InForce): Merged {
  const owners = new Map<string, string>();
  const inForce = new Map<string, readonly Entry[]>();
  const problems: Problem[] = [];
  for (const [file, content] of contents) {
    const faults = content.ok ? findTaken(content.entries, owners) : content.problems;
    problems.push(...faults.map((fault) => ({ file, ...fault })));
    const wanted = content.ok && faults.length === 0 ? content.entries : (before.get(file) ?? []);
    const counting = wanted.filter(({ key }) => !owners.has(key));
    for (const { key } of counting) owners.set(key, file);
    inForce.set(file, counting);
  }
  return { inForce, problems };
}

/** The state as others see it; the old object when nothing in it changed. */
export function toResources(inForce: InForce, old: Resources): Resources {
  const all = [...inForce.values()].flat().map(({ resource }) => resource);
  const fresh: Resources = {
    agentGroups: ofKind(all, "AgentGroup"),
    channels: ofKind(all, "Channel"),
    wirings: ofKind(all, "Wiring"),
    users: ofKind(all, "User"),
    credentials: ofKind(all, "Credential"),
  };
  return isDeepStrictEqual(fresh, old) ? old : fresh;
}

function findTaken(entries: readonly Entry[], owners: ReadonlyMap<string, string>): Omit<Problem, "file">[] {
  return entries.flatMap(({ key, line }) => {
    const owner = owners.get(key);
    return owner === undefined ? [] : [{ line, path: "metadata.name", reason: `${key} is also in ${owner}` }];
  });
}

function ofKind<K extends Resource["kind"]>(all: readonly Resource[], kind: K) {
  const isWanted = (resource: Resource): resource is Extract<Resource, { kind: K }> => resource.kind === kind;
  return new Map(
    all.filter(isWanted).map((resource) => [keyOf(resource.metadata.namespace, resource.metadata.name), resource]),
  );
}
