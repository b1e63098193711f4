import { ApiError, isNotFound } from "../errors.ts";
import { apiVersionOf, type KubeObject, type ObjectName, type Resource } from "../object.ts";
import type { Access } from "./access.ts";
import { Calls } from "./calls.ts";
import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  JsonPatchOperation,
  KubeClient,
  ListOptions,
  Page,
  PageOptions,
  Target,
  WatchEvent,
  WatchOptions,
} from "./client.ts";
import { defaultRate, pageSize } from "./limits.ts";
import { asObject, asPage } from "./objects.ts";
import type { ClientObserver } from "./observer.ts";
import { describeCall, pathOf, type Query, requireNamespace } from "./paths.ts";
import { type Rate, RateLimit } from "./rate.ts";
import { Transport } from "./transport.ts";
import { watchEvents } from "./watch.ts";

export interface KubeClientOptions {
  readonly access: Access;
  /** Such as `copepod-operator/1.2.0`; what stands before the slash is the field manager of writes that name none. */
  readonly userAgent: string;
  /** Of calls; watches don't count. 50 a second and 100 at once without it. */
  readonly rate?: Rate;
  readonly observer?: ClientObserver;
}

/** Nothing is connected before the first call. */
export function createKubeClient({ access, userAgent, rate, observer }: KubeClientOptions): KubeClient {
  const transport = new Transport(userAgent, observer);
  const calls = new Calls({ access, transport, rate: new RateLimit(rate ?? defaultRate), observer });
  return new HttpKubeClient(calls, userAgent.split("/")[0] ?? userAgent);
}

type Patch = { readonly type: string; readonly body: unknown; readonly query: Query; readonly repeatable: boolean };

class HttpKubeClient implements KubeClient {
  readonly #calls: Calls;
  readonly #fieldManager: string;

  constructor(calls: Calls, fieldManager: string) {
    this.#calls = calls;
    this.#fieldManager = fieldManager;
  }

  async get(
    resource: Resource,
    name: ObjectName,
    options: CallOptions & { readonly subresource?: string } = {},
  ): Promise<KubeObject> {
    requireNamespace(resource, name);
    const parts = { ...name, subresource: options.subresource };
    const what = describeCall("get", resource, parts);
    const request = { method: "GET", path: pathOf(resource, parts) } as const;
    return asObject(what, await this.#calls.send({ what, request, repeatable: true, options }));
  }

  async page(resource: Resource, options: PageOptions = {}): Promise<Page> {
    const { namespace, limit = pageSize, continueToken } = options;
    const what = describeCall("list", resource, { namespace });
    const query = {
      ...selectors(options),
      limit,
      continue: continueToken,
      resourceVersion: options.resourceVersion,
      resourceVersionMatch: options.resourceVersionMatch,
    };
    const request = { method: "GET", path: pathOf(resource, { namespace, query }) } as const;
    return asPage(what, resource, await this.#calls.send({ what, request, repeatable: true, options }));
  }

  async *list(resource: Resource, options: ListOptions = {}): AsyncGenerator<Page> {
    let continueToken: string | undefined;
    do {
      const page = await this.page(resource, { ...options, ...(continueToken && { continueToken }) });
      yield page;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
  }

  watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent> {
    const { namespace, resourceVersion, timeoutSeconds, inactivityMs, signal } = options;
    const query = {
      ...selectors(options),
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds: Math.ceil(timeoutSeconds),
    };
    const path = pathOf(resource, { namespace, query });
    return watchEvents(this.#calls, {
      what: describeCall("watch", resource, { namespace }),
      path,
      inactivityMs,
      signal,
    });
  }

  async create(
    resource: Resource,
    object: KubeObject,
    options: CallOptions & { readonly subresource?: string; readonly dryRun?: boolean } = {},
  ): Promise<KubeObject> {
    const { namespace, name } = object.metadata;
    const { subresource, dryRun } = options;
    const what = describeCall("create", resource, {
      namespace,
      name: name ?? object.metadata.generateName,
      subresource,
    });
    requireNamespace(resource, { name: name ?? "", ...(namespace !== undefined && { namespace }) });
    // A subresource belongs to an object, which its path then names; and it is of another kind than the object.
    const place = subresource === undefined ? { namespace } : { namespace, name: name ?? "", subresource };
    const query = { ...this.#writes(), dryRun: dryRun ? "All" : undefined };
    const text = JSON.stringify(subresource === undefined ? withKind(resource, object) : object);
    const request = {
      method: "POST",
      path: pathOf(resource, { ...place, query }),
      body: { type: "application/json", text },
    } as const;
    return asObject(what, await this.#calls.send({ what, request, repeatable: false, options }));
  }

  async mergePatch(resource: Resource, target: Target, patch: object, options: CallOptions = {}): Promise<KubeObject> {
    const { uid, resourceVersion } = target;
    const metadata = "metadata" in patch && typeof patch.metadata === "object" ? patch.metadata : undefined;
    const body =
      uid === undefined && resourceVersion === undefined
        ? patch
        : { ...patch, metadata: { ...metadata, uid, resourceVersion } };
    const type = "application/merge-patch+json";
    return await this.#patch(
      resource,
      target,
      { type, body, query: this.#writes(), repeatable: resourceVersion !== undefined },
      options,
    );
  }

  async jsonPatch(
    resource: Resource,
    target: Target,
    patch: readonly JsonPatchOperation[],
    options: CallOptions = {},
  ): Promise<KubeObject> {
    const preconditions = (["uid", "resourceVersion"] as const).flatMap((field) =>
      target[field] === undefined ? [] : [{ op: "replace", path: `/metadata/${field}`, value: target[field] }],
    );
    const repeatable = target.resourceVersion !== undefined || patch.some(({ op }) => op === "test");
    const type = "application/json-patch+json";
    return await this.#patch(
      resource,
      target,
      { type, body: [...preconditions, ...patch], query: this.#writes(), repeatable },
      options,
    );
  }

  async apply(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    const { namespace, name = "" } = object.metadata;
    const { fieldManager, force, subresource } = options;
    const target = { name, ...(namespace !== undefined && { namespace }), ...(subresource && { subresource }) };
    return await this.#patch(
      resource,
      target,
      {
        // JSON is YAML.
        type: "application/apply-patch+yaml",
        body: withKind(resource, object),
        query: { ...this.#writes(), fieldManager, force },
        repeatable: true,
      },
      options,
    );
  }

  async delete(resource: Resource, target: Target, options: DeleteOptions = {}): Promise<void> {
    requireNamespace(resource, target);
    const { uid, resourceVersion } = target;
    const what = describeCall("delete", resource, target);
    const { gracePeriodSeconds, propagationPolicy } = options;
    const repeatable = uid !== undefined || resourceVersion !== undefined;
    const text = JSON.stringify({
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: { uid, resourceVersion },
      gracePeriodSeconds,
      propagationPolicy,
    });
    const request = {
      method: "DELETE",
      path: pathOf(resource, target),
      body: { type: "application/json", text },
    } as const;
    try {
      await this.#calls.send({ what, request, repeatable, options });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  async #patch(
    resource: Resource,
    target: Target,
    { type, body, query, repeatable }: Patch,
    options: CallOptions,
  ): Promise<KubeObject> {
    requireNamespace(resource, target);
    const { namespace, name, subresource } = target;
    const parts = { namespace, name, subresource };
    const what = describeCall(type === "application/apply-patch+yaml" ? "apply" : "patch", resource, parts);
    const request = {
      method: "PATCH",
      path: pathOf(resource, { ...parts, query }),
      body: { type, text: JSON.stringify(body) },
    } as const;
    try {
      return asObject(what, await this.#calls.send({ what, request, repeatable, options }));
    } catch (error) {
      throw target.uid === undefined ? error : anotherUid(error);
    }
  }

  #writes(): Query {
    return { fieldManager: this.#fieldManager, fieldValidation: "Strict" };
  }
}

/** For the API server a patch with another uid is an invalid change; a delete with one is a conflict, which it is here too. */
function anotherUid(error: unknown): unknown {
  const isUid = error instanceof ApiError && error.causes.some(({ field }) => field === "metadata.uid");
  return isUid ? new ApiError(error.message, { status: 409, reason: "Conflict", causes: error.causes }) : error;
}

const selectors = ({ labelSelector, fieldSelector }: ListOptions): Query => ({ labelSelector, fieldSelector });

const withKind = (resource: Resource, object: KubeObject): KubeObject => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  ...object,
});
