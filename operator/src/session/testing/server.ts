import type { KubeClient } from "@copepod/kube/client/client";
import { ApiError } from "@copepod/kube/errors";
import { isRecord, type KubeObject, keyOf, type ObjectName, type Resource } from "@copepod/kube/object";

export interface Change {
  readonly plural: string;
  readonly key: string;
  /** Undefined: it is gone. */
  readonly object: KubeObject | undefined;
}

const refusal = (status: number, reason: string): ApiError =>
  new ApiError(`the server says ${reason}`, { status, reason, causes: [] });

/**
 * The part of an API server that the session controller writes to, in process: names, versions, preconditions, merge patches,
 * the end of pods in two steps. What it does not do: schemas, admission, watches (`changes` is what they would tell), and
 * everything that can only go wrong on a wire.
 */
export class TestServer implements Pick<KubeClient, "get" | "create" | "mergePatch" | "delete"> {
  readonly changes: Change[] = [];
  /** Called after each write. */
  onWrite: () => void = () => undefined;
  readonly #objects = new Map<string, KubeObject>();
  readonly #now: () => number;
  #version = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  list(plural: string): KubeObject[] {
    return [...this.#objects].flatMap(([key, object]) => (key.startsWith(`${plural}/`) ? [object] : []));
  }

  async get({ plural }: Resource, name: ObjectName): Promise<KubeObject> {
    const object = this.#objects.get(`${plural}/${keyOf(name)}`);
    if (!object) throw refusal(404, "NotFound");
    return object;
  }

  async create({ plural }: Resource, object: KubeObject): Promise<KubeObject> {
    const { namespace, name = "" } = object.metadata;
    const key = keyOf({ namespace, name });
    if (this.#objects.has(`${plural}/${key}`)) throw refusal(409, "AlreadyExists");
    const creationTimestamp = new Date(this.#now()).toISOString();
    const metadata = { ...object.metadata, uid: `uid-${this.#version + 1}`, creationTimestamp };
    return this.#put(plural, key, { ...object, metadata });
  }

  async mergePatch(
    resource: Resource,
    { uid, resourceVersion, subresource, ...name }: Parameters<KubeClient["mergePatch"]>[1],
    patch: object,
  ): Promise<KubeObject> {
    const before = await this.#check(resource, name, { uid, resourceVersion });
    const { status, ...rest } = { status: undefined, ...patch };
    const after = merge(before, subresource === "status" ? { status } : rest);
    return this.#put(resource.plural, keyOf(name), after);
  }

  async delete(
    resource: Resource,
    { uid, resourceVersion, ...name }: Parameters<KubeClient["delete"]>[1],
    { gracePeriodSeconds = 60 }: Parameters<KubeClient["delete"]>[2] = {},
  ): Promise<void> {
    const key = `${resource.plural}/${keyOf(name)}`;
    if (!this.#objects.has(key)) return;
    const object = await this.#check(resource, name, { uid, resourceVersion });
    const hasNode = isRecord(object.spec) && object.spec.nodeName !== undefined;
    if (hasNode && gracePeriodSeconds > 0) {
      const deletionTimestamp = new Date(this.#now() + gracePeriodSeconds * 1_000).toISOString();
      const deletion = { deletionTimestamp, deletionGracePeriodSeconds: gracePeriodSeconds };
      this.#put(resource.plural, keyOf(name), merge(object, { metadata: deletion }));
    } else {
      this.#objects.delete(key);
      this.#happened({ plural: resource.plural, key: keyOf(name), object: undefined });
    }
  }

  /** What others write, without preconditions. */
  write({ plural }: Resource, { metadata }: KubeObject, patch: object): void {
    const key = keyOf({ namespace: metadata.namespace, name: metadata.name ?? "" });
    const before = this.#objects.get(`${plural}/${key}`);
    if (before) this.#put(plural, key, merge(before, patch));
  }

  async #check(
    { plural }: Resource,
    name: ObjectName,
    { uid, resourceVersion }: { uid: string | undefined; resourceVersion: string | undefined },
  ): Promise<KubeObject> {
    const object = this.#objects.get(`${plural}/${keyOf(name)}`);
    if (!object) throw refusal(404, "NotFound");
    const { metadata } = object;
    if ((uid ?? metadata.uid) !== metadata.uid) throw refusal(409, "Conflict");
    if ((resourceVersion ?? metadata.resourceVersion) !== metadata.resourceVersion) throw refusal(409, "Conflict");
    return object;
  }

  #put(plural: string, key: string, object: KubeObject): KubeObject {
    this.#version += 1;
    const versioned = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.#objects.set(`${plural}/${key}`, versioned);
    this.#happened({ plural, key, object: versioned });
    return versioned;
  }

  #happened(change: Change): void {
    this.changes.push(change);
    this.onWrite();
  }
}

/** RFC 7386, of objects. */
function mergeInto(before: object, patch: object): object {
  const merged = new Map<string, unknown>(Object.entries(before));
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) merged.delete(field);
    else if (isRecord(value) && !Array.isArray(value)) merged.set(field, mergeInto(Object(merged.get(field)), value));
    else if (value !== undefined) merged.set(field, value);
  }
  return Object.fromEntries(merged);
}

const merge = (before: KubeObject, patch: object): KubeObject => ({ metadata: {}, ...mergeInto(before, patch) });
