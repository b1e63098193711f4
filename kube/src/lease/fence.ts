import type { CallOptions, DeleteOptions, KubeClient } from "../client/client.ts";
import type { KubeObject, ObjectName, Resource } from "../object.ts";
import type { Leadership } from "./leadership.ts";
import { isEarlier } from "./lease-record.ts";

/** A merge patch. What it says of annotations is kept. */
export interface Patch {
  readonly metadata?: {
    readonly annotations?: Readonly<Record<string, string | null>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface FenceOptions {
  readonly client: Pick<KubeClient, "create" | "mergePatch" | "delete">;
  readonly leadership: Pick<Leadership, "term" | "signal" | "check" | "confirm">;
  /** Name of the annotation that carries the term of the last write, such as `example.dev/term`. */
  readonly annotation: string;
}

/**
 * How a leader writes. Every write asks the local guard first, carries the leader's term into the object, and holds the
 * resourceVersion of what was read: the API server compares and writes in one step.
 *
 * What it does: once a leader has written an object, no write of an earlier leader to it gets through. One that was decided
 * before has an old resourceVersion (409); one that is decided after reads the later term, asks the API server about the
 * Lease, and stands down. This needs no clock. A new leader that must have the word on all its objects from its first act
 * on writes them all first: `mergePatch` with an empty patch carries only the term, and costs one write per object.
 *
 * What it can't do: an object that the new leader has not written yet takes one last write of the old one, as if it had come
 * a little earlier. A create is held back by its name only, so names are made from what is wanted, not drawn. Status writes
 * hold the resourceVersion but can't carry the term. And whatever happens outside the API server (another system, a process
 * in a pod) has to check the term itself.
 */
export class Fence {
  readonly #options: FenceOptions;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /** @throws ApiError `AlreadyExists`: read it, it may be another leader's. CopepodError `superseded` */
  async create(resource: Resource, object: KubeObject, options?: CallOptions): Promise<KubeObject> {
    const { client, leadership } = this.#options;
    leadership.check();
    const annotations = { ...object.metadata.annotations, ...this.#term() };
    const marked = { ...object, metadata: { ...object.metadata, annotations } };
    return await client.create(resource, marked, this.#call(options));
  }

  /**
   * @param read the object that the patch was decided by. @param options `subresource`: such as `status`
   * @throws ApiError 409 when it has changed since. CopepodError `superseded`
   */
  async mergePatch(
    resource: Resource,
    read: KubeObject,
    patch: Patch,
    { subresource, ...options }: CallOptions & { readonly subresource?: string } = {},
  ): Promise<KubeObject> {
    const { client } = this.#options;
    await this.#admit(read);
    const annotations = { ...patch.metadata?.annotations, ...this.#term() };
    const body = subresource === undefined ? { ...patch, metadata: { ...patch.metadata, annotations } } : patch;
    const target = { ...targetOf(read), ...(subresource === undefined ? {} : { subresource }) };
    return await client.mergePatch(resource, target, body, this.#call(options));
  }

  /** @throws ApiError 409 when it has changed since it was read. CopepodError `superseded` */
  async delete(resource: Resource, read: KubeObject, options?: DeleteOptions): Promise<void> {
    const { client } = this.#options;
    await this.#admit(read);
    await client.delete(resource, targetOf(read), this.#call(options));
  }

  /** A term that is not an earlier one means that this leader is deposed, unless somebody made it up: the Lease decides. */
  async #admit({ metadata }: KubeObject): Promise<void> {
    const { leadership, annotation } = this.#options;
    const term = metadata.annotations?.[annotation];
    const isOther = term !== undefined && term !== leadership.term;
    if (isOther && !isEarlier(term, leadership.term)) await leadership.confirm();
    leadership.check();
  }

  /** A call ends by its own signal, and with the leadership. */
  #call(options: DeleteOptions = {}): DeleteOptions {
    const { signal } = this.#options.leadership;
    return { ...options, signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal };
  }

  #term(): Record<string, string> {
    return { [this.#options.annotation]: this.#options.leadership.term };
  }
}

function targetOf({ metadata }: KubeObject): ObjectName & { uid: string; resourceVersion: string } {
  const { namespace, name, uid, resourceVersion } = metadata;
  if (!name || !uid || !resourceVersion)
    throw new TypeError("a fenced write needs an object as the API server gave it");
  return { namespace, name, uid, resourceVersion };
}
