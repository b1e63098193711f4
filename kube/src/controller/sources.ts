import { isDeepStrictEqual } from "node:util";
import type { Cache, CacheChange } from "../cache/cache.ts";
import type { HasMetadata } from "../object.ts";

/** Where a controller's keys come from. */
export interface Source {
  whenSynced(signal: AbortSignal): Promise<void>;
  subscribe(add: (key: string) => void): () => void;
  /** All keys that the source knows of now. */
  keys(): Iterable<string>;
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
