import { CopepodError } from "@copepod/core/errors";
import type { CallOptions, KubeClient, Target } from "../../client/client.ts";
import { type Clock, pause } from "../../clock.ts";
import { ApiError } from "../../errors.ts";
import { isRecord, type KubeObject, type Resource } from "../../object.ts";

/**
 * One Lease on an API server that can fail in the ways that matter here, in time that a test passes. The real server has its
 * tests in e2e/kube.
 */
export class LeaseServer {
  lease: KubeObject | undefined;
  writes = 0;
  readonly clock: Clock;
  #version = 0;
  #created = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Each candidate has its own way to the server. */
  client(): LeaseClient {
    return new LeaseClient(this);
  }

  read(): KubeObject {
    if (this.lease) return this.lease;
    throw new ApiError("there is no such lease", { status: 404, reason: "NotFound", causes: [] });
  }

  create({ metadata, spec }: KubeObject): KubeObject {
    if (this.lease) throw new ApiError("it exists already", { status: 409, reason: "AlreadyExists", causes: [] });
    this.#created += 1;
    const creationTimestamp = `${new Date(this.clock.now()).toISOString().slice(0, 19)}Z`;
    return this.#put({ ...metadata, creationTimestamp, uid: `uid-${this.#created}` }, spec);
  }

  patch({ resourceVersion }: Pick<Target, "resourceVersion">, patch: object): KubeObject {
    const { metadata, spec } = this.read();
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      throw new ApiError("it has changed", { status: 409, reason: "Conflict", causes: [] });
    }
    const change = "spec" in patch && isRecord(patch.spec) ? patch.spec : {};
    return this.#put(metadata, { ...(isRecord(spec) ? spec : {}), ...change });
  }

  delete(): void {
    this.lease = undefined;
  }

  get spec(): Record<string, unknown> {
    const { spec } = this.read();
    return isRecord(spec) ? spec : {};
  }

  #put(metadata: KubeObject["metadata"], spec: unknown): KubeObject {
    this.writes += 1;
    this.#version += 1;
    this.lease = { metadata: { ...metadata, resourceVersion: String(this.#version) }, spec };
    return this.lease;
  }
}

/** `down`: nothing arrives. `mute`: it arrives, and the answer gets lost. `hangs`: no answer until the caller gives up. */
export type Fault = "none" | "down" | "mute" | "hangs";

class LeaseClient implements Pick<KubeClient, "get" | "create" | "mergePatch"> {
  fault: Fault = "none";
  readonly #server: LeaseServer;

  constructor(server: LeaseServer) {
    this.#server = server;
  }

  async get(_: Resource, __: unknown, options: CallOptions = {}): Promise<KubeObject> {
    return await this.#call(() => this.#server.read(), options);
  }

  async create(_: Resource, object: KubeObject, options: CallOptions = {}): Promise<KubeObject> {
    return await this.#call(() => this.#server.create(object), options);
  }

  async mergePatch(_: Resource, target: Target, patch: object, options: CallOptions = {}): Promise<KubeObject> {
    return await this.#call(() => this.#server.patch(target, patch), options);
  }

  async #call<T>(act: () => T, { signal = new AbortController().signal, timeoutMs = 0 }: CallOptions): Promise<T> {
    signal.throwIfAborted();
    const { fault } = this;
    if (fault === "hangs") await pause(this.#server.clock, timeoutMs, signal);
    signal.throwIfAborted();
    if (fault === "hangs" || fault === "down") throw new CopepodError("clusterUnavailable", "no answer");
    const answer = act();
    if (this.fault === "mute") throw new CopepodError("clusterUnavailable", "no answer");
    return answer;
  }
}
