import { CopepodError } from "@copepod/core/errors";
import type { Clock } from "../clock.ts";
import { ApiError, isNotFound } from "../errors.ts";
import { apiVersionOf, type KubeObject, type ObjectName, type Resource } from "../object.ts";
import type { Rate } from "../token-bucket.ts";
import { Access, type Identity } from "./access.ts";
import { Calls } from "./calls.ts";
import type {
  ApplyOptions,
  CallOptions,
  CreateOptions,
  DeleteOptions,
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
import { describeCall, type Place, pathOf, type Query } from "./paths.ts";
import { type HttpRequest, Transport } from "./transport.ts";
import { watchEvents } from "./watch.ts";

export interface KubeClientParts {
  /** See `inCluster` and `kubeconfig`. */
  readonly identity: Identity;
  /** Such as `some-operator/1.2.0`; what stands before the slash is the field manager of writes that name none. */
  readonly userAgent: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of calls; watches don't count. `defaultRate` without it. */
  readonly rate?: Rate;
  readonly observer?: ClientObserver;
}

/** Nothing is read or connected before the first call. */
export const createKubeClient = (parts: KubeClientParts): KubeClient => new HttpKubeClient(parts);

interface Write {
  readonly verb: string;
  /** For sentences, where the path has no name. */
  readonly name?: string | undefined;
  readonly method: HttpRequest["method"];
  readonly type: string;
  readonly body: unknown;
  readonly query?: Query;
  readonly repeatable: boolean;
}

class HttpKubeClient implements KubeClient {
  readonly #calls: Calls;
  readonly #fieldManager: string;

  constructor({ identity, userAgent, clock, random, rate = defaultRate, observer }: KubeClientParts) {
    this.#fieldManager = userAgent.split("/")[0] ?? userAgent;
    this.#calls = new Calls({
      access: new Access(identity, clock),
      transport: new Transport({ userAgent, clock, observer }),
      rate,
      clock,
      random,
      observer,
    });
  }

  async get(resource: Resource, name: ObjectName, options: CallOptions = {}): Promise<KubeObject> {
    requireNamespace(resource, name);
    const what = describeCall("get", resource, name);
    return asObject(what, await this.#read(what, pathOf(resource, name, {}), options));
  }

  async page(resource: Resource, options: PageOptions = {}): Promise<Page> {
    const { namespace, limit = pageSize, continueToken } = options;
    const what = describeCall("list", resource, { namespace });
    const query = { ...selectors(options), limit, continue: continueToken };
    return asPage(what, resource, await this.#read(what, pathOf(resource, { namespace }, query), options));
  }

  async *list(resource: Resource, options: ListOptions = {}): AsyncGenerator<Page> {
    let page = await this.page(resource, options);
    yield page;
    for (let { continueToken } = page; continueToken !== undefined; continueToken = page.continueToken) {
      page = await this.page(resource, { ...options, continueToken });
      if (page.continueToken === continueToken) throw endless(describeCall("list", resource, options));
      yield page;
    }
  }

  watch(
    resource: Resource,
    { namespace, resourceVersion, timeoutSeconds, ...options }: WatchOptions,
  ): AsyncIterable<WatchEvent> {
    const query = {
      ...selectors(options),
      ...{ watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds: Math.ceil(timeoutSeconds) },
    };
    const what = describeCall("watch", resource, { namespace });
    return watchEvents(this.#calls, { what, path: pathOf(resource, { namespace }, query), timeoutSeconds, ...options });
  }

  async create(
    resource: Resource,
    object: KubeObject,
    { subresource, ...options }: CreateOptions = {},
  ): Promise<KubeObject> {
    const { namespace, generateName, name = generateName } = object.metadata;
    const place = subresource === undefined ? { namespace } : { namespace, name, subresource };
    const [type, body] = ["application/json", withKind(resource, object)];
    const write = { verb: "create", name, method: "POST", type, body, repeatable: false } as const;
    return await this.#write(resource, place, write, options);
  }

  async mergePatch(
    resource: Resource,
    { uid, resourceVersion, ...place }: Target,
    patch: object,
    options?: CallOptions,
  ): Promise<KubeObject> {
    const metadata = "metadata" in patch && typeof patch.metadata === "object" ? patch.metadata : {};
    const isBound = uid !== undefined || resourceVersion !== undefined;
    const body = isBound ? { ...patch, metadata: { ...metadata, uid, resourceVersion } } : patch;
    const repeatable = resourceVersion !== undefined;
    const write = { verb: "patch", method: "PATCH", type: "application/merge-patch+json", body, repeatable } as const;
    try {
      return await this.#write(resource, place, write, options);
    } catch (error) {
      throw uid === undefined ? error : anotherUid(error);
    }
  }

  async apply(
    resource: Resource,
    object: KubeObject,
    { fieldManager, force, dryRun, subresource, ...options }: ApplyOptions,
  ): Promise<KubeObject> {
    const { namespace, name = "" } = object.metadata;
    const place = { namespace, name, subresource };
    const [body, query] = [withKind(resource, object), { fieldManager, force, dryRun: dryRun ? "All" : undefined }];
    // JSON is YAML.
    const type = "application/apply-patch+yaml";
    const write = { verb: "apply", method: "PATCH", type, body, query, repeatable: true } as const;
    return await this.#write(resource, place, write, options);
  }

  async delete(
    resource: Resource,
    { uid, resourceVersion, ...place }: Target,
    { gracePeriodSeconds, ...options }: DeleteOptions = {},
  ): Promise<void> {
    const preconditions = { uid, resourceVersion };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions, gracePeriodSeconds };
    const repeatable = uid !== undefined || resourceVersion !== undefined;
    const write = { verb: "delete", method: "DELETE", type: "application/json", body, repeatable } as const;
    try {
      await this.#write(resource, place, write, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  async #read(what: string, path: string, options: CallOptions): Promise<unknown> {
    return await this.#calls.send({ what, request: { method: "GET", path }, repeatable: true, options });
  }

  async #write(resource: Resource, place: Place, write: Write, options: CallOptions = {}): Promise<KubeObject> {
    requireNamespace(resource, place);
    const { verb, name, method, type, body, query, repeatable } = write;
    const what = describeCall(verb, resource, { name, ...place });
    const fields = method === "DELETE" ? {} : { fieldManager: this.#fieldManager, fieldValidation: "Strict" };
    const path = pathOf(resource, place, { ...fields, ...query });
    const request = { method, path, body: { type, text: JSON.stringify(body) } };
    return asObject(what, await this.#calls.send({ what, request, repeatable, options }));
  }
}

const selectors = ({ labelSelector, fieldSelector }: ListOptions): Query => ({ labelSelector, fieldSelector });

const withKind = (resource: Resource, object: KubeObject): KubeObject => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  ...object,
});

function requireNamespace({ namespaced, plural }: Resource, { namespace, name = "" }: Place): void {
  if (!namespaced || namespace !== undefined) return;
  throw new CopepodError("invalid", `${plural} ${name} has no namespace, though ${plural} are namespaced; name it`);
}

const endless = (what: string): CopepodError =>
  new CopepodError("clusterUnavailable", `${what}: the API server gave the same page again; list again`);

/** For the API server a patch with another uid is an invalid change, and a delete with one a conflict. Here both are that. */
function anotherUid(error: unknown): unknown {
  const isUid = error instanceof ApiError && error.causes.some(({ field }) => field === "metadata.uid");
  return isUid ? new ApiError(error.message, { status: 409, reason: "Conflict", causes: error.causes }) : error;
}
