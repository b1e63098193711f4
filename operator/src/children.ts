import { labels, operatorName } from "@copepod/core/cluster";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import { isNotFound } from "@copepod/kube/errors";
import type { Patch } from "@copepod/kube/lease/fence";
import type { HasMetadata, KubeObject, Resource } from "@copepod/kube/object";
import type { LeaderParts } from "./parts.ts";

/** What has the name of a child. */
export type Found =
  | { readonly kind: "missing" }
  | { readonly kind: "own"; readonly object: KubeObject }
  /** Of an earlier owner of the same name: the garbage collector removes it. */
  | { readonly kind: "old" }
  | { readonly kind: "foreign" };

/** A child as it should be: all fields beside the metadata are its own, of the metadata those that are named. */
export interface Child {
  readonly resource: Resource;
  readonly wanted: KubeObject;
  readonly found: Found;
}

export type Step =
  | { readonly kind: "create"; readonly resource: Resource; readonly object: KubeObject }
  | { readonly kind: "patch"; readonly resource: Resource; readonly read: KubeObject; readonly patch: Patch };

/**
 * Looks in the cache, and where that has nothing asks the API server: what is not labelled as ours is in no cache, and of what
 * was made a moment ago the cache may not know yet.
 */
export async function findChild(
  { client }: Pick<LeaderParts, "client">,
  resource: Resource,
  { cached, place, isOwn, signal }: FindOptions,
): Promise<Found> {
  const object =
    cached ??
    (await client.get(resource, place, { signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    }));
  if (!object) return { kind: "missing" };
  if (isOwn(object)) return { kind: "own", object };
  const { labels: has, ownerReferences = [] } = object.metadata;
  return { kind: has?.[labels.managedBy] === operatorName && ownerReferences.length > 0 ? "old" : "foreign" };
}

interface FindOptions {
  readonly cached: KubeObject | undefined;
  readonly place: { readonly namespace: string; readonly name: string };
  readonly isOwn: (object: HasMetadata) => boolean;
  readonly signal: AbortSignal;
}

/** What makes a child as it should be; nothing for what is somebody else's, or on its way out. Pure. */
export function stepsFor({ resource, wanted, found }: Child): readonly Step[] {
  switch (found.kind) {
    case "foreign":
    case "old":
      return [];
    case "missing":
      return [{ kind: "create", resource, object: wanted }];
    case "own": {
      if (found.object.metadata.deletionTimestamp !== undefined) return [];
      const patch = childPatch(found.object, wanted);
      return patch ? [{ kind: "patch", resource, read: found.object, patch }] : [];
    }
  }
}

/** @throws ApiError when the API server refuses one; those before it are done */
export async function applySteps(
  steps: readonly Step[],
  { fence }: Pick<LeaderParts, "fence">,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    if (step.kind === "create") await fence.create(step.resource, step.object, { signal });
    else await fence.mergePatch(step.resource, step.read, step.patch, { signal });
  }
}

/** Such as `PersistentVolumeClaim copepod-group-a`. */
export const nameOf = ({ resource, wanted }: Pick<Child, "resource" | "wanted">): string =>
  `${resource.kind} ${wanted.metadata.name}`;

function childPatch(
  object: KubeObject,
  { metadata, apiVersion: _, kind: __, ...fields }: KubeObject,
): Patch | undefined {
  const before = Object.fromEntries(Object.keys(fields).map((name) => [name, object[name]]));
  const patch = mergePatchOf(before, fields);
  const marks = {
    ...marksPatch("labels", object.metadata.labels, metadata.labels),
    ...marksPatch("annotations", object.metadata.annotations, metadata.annotations),
  };
  const hasMarks = Object.keys(marks).length > 0;
  return patch || hasMarks ? { ...patch, ...(hasMarks && { metadata: marks }) } : undefined;
}

type Marks = Readonly<Record<string, string>>;

/** Labels and annotations of others stay. */
function marksPatch(field: "labels" | "annotations", before: Marks = {}, wanted: Marks = {}) {
  const own = Object.fromEntries(Object.keys(wanted).map((name) => [name, before[name]]));
  const patch = mergePatchOf(own, wanted);
  return patch && { [field]: patch };
}
