import type { KubeObject } from "../object.ts";

interface FinalizerPatch {
  readonly metadata: { readonly finalizers: readonly string[] };
}

/**
 * The merge patch that adds a finalizer, to be written with the object's resourceVersion and before the first effect outside
 * of the object. @returns undefined when it is there, or too late: the API server refuses new ones during a deletion
 */
export function addFinalizer({ metadata }: KubeObject, finalizer: string): FinalizerPatch | undefined {
  const finalizers = metadata.finalizers ?? [];
  if (finalizers.includes(finalizer) || metadata.deletionTimestamp !== undefined) return undefined;
  return { metadata: { finalizers: [...finalizers, finalizer] } };
}

/**
 * The merge patch that removes a finalizer and keeps those of others, to be written with the object's resourceVersion.
 * @returns undefined when it is not there
 */
export function removeFinalizer({ metadata }: KubeObject, finalizer: string): FinalizerPatch | undefined {
  const finalizers = metadata.finalizers ?? [];
  if (!finalizers.includes(finalizer)) return undefined;
  return { metadata: { finalizers: finalizers.filter((name) => name !== finalizer) } };
}
