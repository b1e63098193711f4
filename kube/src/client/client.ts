import type { KubeObject, ObjectName, Resource } from "../object.ts";

/** What every call may say. */
export interface CallOptions {
  /** Ends the call; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call, retries included; `callTimeoutMs` without it. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface PageOptions extends ListOptions {
  /** Objects per page; `pageSize` without it. */
  readonly limit?: number;
  readonly continueToken?: string;
}

export interface Page {
  readonly items: readonly KubeObject[];
  /** Of the snapshot: where a watch goes on. */
  readonly resourceVersion: string;
  /** Undefined on the last page. */
  readonly continueToken?: string;
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string;
  /** Seconds after which the server ends the watch in good order; when it has not soon after, the client does, with an error. */
  readonly timeoutSeconds: number;
  /** Milliseconds without a byte after which the connection counts as hung. */
  readonly inactivityMs: number;
  /** Called once the server has taken the watch (status 200): on a quiet kind the only sign of life. */
  readonly opened?: () => void;
}

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  /** Only the resourceVersion counts. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

/** Where a write goes to, and what must still hold there. */
export interface Target extends ObjectName {
  readonly subresource?: string;
  /** The object must still be this one, else 409. */
  readonly uid?: string;
  /** The object must be unchanged since, else 409. */
  readonly resourceVersion?: string;
}

export interface ApplyOptions extends CallOptions {
  readonly fieldManager: string;
  /** Takes fields over from other managers instead of a 409. */
  readonly force?: boolean;
  /** All checks, nothing stored. */
  readonly dryRun?: boolean;
  readonly subresource?: string;
}

export interface CreateOptions extends CallOptions {
  /** Such as `token`: what is created belongs to the object that the metadata name. */
  readonly subresource?: string;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
}

/**
 * The API server, in raw JSON. Every call throws an ApiError when the server says no, and CopepodError `clusterUnavailable`
 * when no answer came. Reads, and writes that may be repeated without harm (apply, patches with a resourceVersion, deletes
 * with a uid or a resourceVersion), are tried again within their time; a create only when it has surely not arrived, or the
 * server asked for it (429).
 */
export interface KubeClient {
  get(resource: Resource, name: ObjectName, options?: CallOptions): Promise<KubeObject>;
  /** One page. */
  page(resource: Resource, options?: PageOptions): Promise<Page>;
  /** Page by page. @throws ApiError 410 when the snapshot got too old between pages */
  list(resource: Resource, options?: ListOptions): AsyncIterable<Page>;
  /**
   * Ends without an error when the server ends the watch in good order. Breaking out of the loop closes the connection.
   * @throws ApiError 410 when the resourceVersion is too old
   */
  watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent>;
  /** The namespace is that of the object. Unknown fields are refused (`fieldValidation=Strict`), here and in all writes. */
  create(resource: Resource, object: KubeObject, options?: CreateOptions): Promise<KubeObject>;
  /** `uid` and `resourceVersion` of the target go into the patch as preconditions. */
  mergePatch(resource: Resource, target: Target, patch: object, options?: CallOptions): Promise<KubeObject>;
  /** Server-side apply. It recreates an object that is gone: see `mergePatch` for one that must still exist. */
  apply(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject>;
  /** Resolves also when the object is already gone. `uid` and `resourceVersion` are preconditions. */
  delete(resource: Resource, target: Target, options?: DeleteOptions): Promise<void>;
  /** Closes the connections; calls in flight reject. */
  close(): Promise<void>;
}
