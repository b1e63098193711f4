import { type ParsedResource, parseResource } from "@copepod/crds/parse";
import type { KubeObject } from "@copepod/kube/object";

/** What is made of one object of the API server, once for each of its versions. */
export interface Seen {
  readonly uid: string | undefined;
  /** Undefined for an object that is being deleted: it decides nothing any more. */
  readonly parsed: ParsedResource | undefined;
}

/**
 * Never throws: an object that can't be used is a problem that people must see. Labels and annotations are for other programs,
 * which change them as they like.
 */
export function seenOf({ apiVersion, kind, metadata, spec }: KubeObject): Seen {
  const { uid, name, namespace, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return { uid, parsed: undefined };
  return { uid, parsed: parseResource({ apiVersion, kind, metadata: { name, namespace }, spec }) };
}
