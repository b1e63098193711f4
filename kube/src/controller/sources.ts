import { isDeepStrictEqual } from "node:util";
import type { Cache, CacheChange } from "../cache/cache.ts";
import { apiVersionOf, keyOf, type ObjectMeta, type Resource } from "../object.ts";

/** Where a controller's keys come from. */
export interface Source {
  whenSynced(signal: AbortSignal): Promise<void>;
  subscribe(add: (key: string) => void): () => void;
  /** All keys that the source knows of now. */
  keys(): Iterable<string>;
}

interface HasMetadata {
  readonly metadata: ObjectMeta;
}

export interface SourceOptions<T> {
  /** Keys to reconcile because of this object. */
  readonly keysOf: (object: T) => Iterable<string>;
  /** Which changes of an object that was there and still is are looked at: all of them without it. */
  readonly when?: (before: T, after: T) => boolean;
}

/** New, changed and deleted objects of a cache. What changes its keys (another owner) counts for the old and the new ones. */
export function sourceOf<T>(cache: Cache<T>, { keysOf, when }: SourceOptions<T>): Source {
  const keysOfChange = ({ before, after }: CacheChange<T>): string[] => {
    if (before === undefined || after === undefined) return [before ?? after].flatMap(keysOfOne);
    return when && !when(before, after) ? [] : [before, after].flatMap(keysOfOne);
  };
  const keysOfOne = (object: T | undefined): string[] => (object === undefined ? [] : [...keysOf(object)]);
  return {
    whenSynced: (signal) => cache.whenSynced(signal),
    subscribe: (add) => cache.subscribe((_, change) => keysOfChange(change).forEach(add)),
    keys: () => [...cache.values()].flatMap(keysOfOne),
  };
}

/** For the objects that a controller is there for. */
export const ownKey = ({ metadata: { namespace, name } }: HasMetadata): string[] =>
  name === undefined ? [] : [nameKey(namespace, name)];

/** For children: the key of the controlling owner, when it is of this kind. Any version of the kind counts. */
export function ownerKey(owner: Resource): (object: HasMetadata) => string[] {
  const group = apiVersionOf({ group: owner.group, version: "" });
  return ({ metadata: { namespace, ownerReferences = [] } }) => {
    const found = ownerReferences.find(
      ({ controller, kind, apiVersion }) =>
        controller === true && kind === owner.kind && apiVersion.slice(0, apiVersion.lastIndexOf("/") + 1) === group,
    );
    return found ? [nameKey(owner.namespaced ? namespace : undefined, found.name)] : [];
  };
}

/**
 * Whether something beside the status changed: its own writes of a status need not bring a controller back. What has no
 * generation (a ConfigMap) always counts as changed, and so does what is being deleted.
 */
export function isMoreThanStatus({ metadata: a }: HasMetadata, { metadata: b }: HasMetadata): boolean {
  if (b.generation === undefined || b.deletionTimestamp !== undefined || a.generation !== b.generation) return true;
  return [
    [a.labels, b.labels],
    [a.annotations, b.annotations],
    [a.finalizers, b.finalizers],
    [a.ownerReferences, b.ownerReferences],
  ].some(([before, after]) => !isDeepStrictEqual(before, after));
}

const nameKey = (namespace: string | undefined, name: string): string =>
  keyOf(namespace === undefined ? { name } : { namespace, name });
