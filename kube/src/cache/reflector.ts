import { CopepodError, codeOf } from "@copepod/core/errors";
import type { KubeClient, ListOptions, WatchEvent } from "../client/client.ts";
import { type Clock, pause } from "../clock.ts";
import { isExpired } from "../errors.ts";
import type { Log } from "../log.ts";
import { type KubeObject, keyOf, type Resource } from "../object.ts";
import type { Cache } from "./cache.ts";
import type { IndexFunctions } from "./indexes.ts";
import { faultWarningMs, shortWatchMs, staleMs, steadyWatchMs, watchInactivityMs, watchSeconds } from "./limits.ts";
import type { ReflectorObserver } from "./observer.ts";
import { Retry } from "./retry.ts";
import { SharedStrings } from "./shared-strings.ts";
import { type Staged, Store } from "./store.ts";

export interface ReflectorSettings<T> extends Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector"> {
  readonly resource: Resource;
  /** In logs, metrics and health; without it plural and group, such as `pods` or `leases.coordination.k8s.io`. */
  readonly name?: string;
  /**
   * What is kept of an object, which comes without `managedFields`. It must not depend on anything else. When it throws, that
   * is logged and counted, and what was known of the object before stays: nothing looks deleted that is not.
   */
  transform(object: KubeObject): T;
  readonly indexes?: IndexFunctions<T>;
  /** `watchInactivityMs` without it. */
  readonly inactivityMs?: number;
}

export interface ReflectorDeps {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly observer?: ReflectorObserver;
}

/**
 * Keeps a cache equal to what the API server has: one list, then watches, and a list again only when the server asks for it.
 * An etcd that was restored from a backup goes on with old versions, which no watch can tell from new ones: it has to be
 * restored with `--bump-revision` and `--mark-compacted`, or the programs be started anew.
 */
export class Reflector<T> {
  readonly name: string;
  readonly #settings: ReflectorSettings<T>;
  readonly #deps: ReflectorDeps;
  readonly #scope: Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">;
  readonly #store: Store<T>;
  readonly #retry: Retry;
  readonly #strings = new SharedStrings();
  /** Where the next watch goes on; undefined when a list has to come first. */
  #resourceVersion: string | undefined;
  /** The last sign of life of the server. */
  #heardAt: number;
  #lastFailure: string | undefined;
  readonly #warnedAt = { transform: Number.NEGATIVE_INFINITY, listener: Number.NEGATIVE_INFINITY };

  constructor(settings: ReflectorSettings<T>, deps: ReflectorDeps) {
    const { resource, name, transform, indexes = {}, inactivityMs, ...scope } = settings;
    this.name = name ?? (resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`);
    this.#settings = settings;
    this.#deps = deps;
    this.#scope = scope;
    this.#store = new Store({
      indexes,
      onListenerError: (err) => this.#threw("listener", { err }),
    });
    this.#retry = new Retry({ monotonic: () => deps.clock.monotonic(), random: deps.random });
    this.#heardAt = deps.clock.monotonic();
  }

  get cache(): Cache<T> {
    return this.#store;
  }

  /** Why the cache should not be relied on, as a sentence; undefined while all is well. */
  problem(): string | undefined {
    const reason = this.#lastFailure === undefined ? "" : `: ${this.#lastFailure}`;
    if (!this.#store.synced) return `the first list of ${this.name} is not complete${reason}`;
    const silentMs = this.#deps.clock.monotonic() - this.#heardAt;
    if (silentMs <= staleMs) return undefined;
    return `nothing was heard about ${this.name} for ${Math.round(silentMs / 1_000)} s${reason}`;
  }

  /** Runs until the signal aborts; no failure ends it. Once it has resolved, no listener is called any more. */
  async run(signal: AbortSignal): Promise<void> {
    this.#heardAt = this.#deps.clock.monotonic();
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        else await this.#watch(this.#resourceVersion, signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error, signal);
      }
    }
    this.#store.end(signal.reason);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, clock, observer } = this.#deps;
    const startedAt = clock.monotonic();
    const listed = new Set<string>();
    const changed: Staged<T>[] = [];
    let resourceVersion: string | undefined;
    for await (const page of client.list(this.#settings.resource, { ...this.#scope, signal })) {
      this.#heard();
      for (const object of page.items) this.#takeListed(object, listed, changed);
      resourceVersion = page.resourceVersion;
    }
    if (signal.aborted) return;
    this.#store.replace(listed, changed);
    this.#resourceVersion = resourceVersion;
    observer?.listed({ name: this.name, seconds: (clock.monotonic() - startedAt) / 1_000, items: listed.size });
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, clock, random } = this.#deps;
    const { resource, inactivityMs = watchInactivityMs } = this.#settings;
    const watch = { startedAt: clock.monotonic(), openedAt: Number.POSITIVE_INFINITY, items: 0 };
    const timeoutSeconds = Math.round(watchSeconds.least + random() * (watchSeconds.most - watchSeconds.least));
    const opened = () => {
      watch.openedAt = clock.monotonic();
      this.#heard();
    };
    const options = { ...this.#scope, resourceVersion, timeoutSeconds, inactivityMs, opened, signal };
    let openMs = 0;
    try {
      for await (const event of client.watch(resource, options)) {
        if (signal.aborted) return;
        watch.items += 1;
        this.#takeEvent(event);
      }
    } finally {
      openMs = this.#watchEnded(watch);
    }
    if (openMs < shortWatchMs) throw new CopepodError("clusterUnavailable", "the API server ended a watch at once");
    this.#heard();
  }

  /** @returns ms that the server held it open */
  #watchEnded({ startedAt, openedAt, items }: { startedAt: number; openedAt: number; items: number }): number {
    const now = this.#deps.clock.monotonic();
    const openMs = now - openedAt;
    if (openMs >= (items > 0 ? shortWatchMs : steadyWatchMs)) this.#retry.served();
    const short = items === 0 && now - startedAt < shortWatchMs;
    this.#deps.observer?.watched({ name: this.name, seconds: (now - startedAt) / 1_000, items, short });
    return openMs;
  }

  #takeEvent(event: WatchEvent): void {
    this.#heard();
    const resourceVersion = event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.resourceVersion;
    // Nothing could go on from it.
    if (!resourceVersion)
      throw new CopepodError("clusterUnavailable", "the API server sent an event without a version");
    switch (event.type) {
      case "ADDED":
      case "MODIFIED": {
        const staged = this.#stage(event.object);
        if (staged) this.#store.put(staged);
        break;
      }
      case "DELETED":
        this.#store.delete(keyOfObject(event.object));
        break;
      case "BOOKMARK":
        break;
    }
    this.#resourceVersion = resourceVersion;
  }

  #takeListed(object: KubeObject, listed: Set<string>, changed: Staged<T>[]): void {
    const key = keyOfObject(object);
    listed.add(key);
    // What has not changed stays the object that readers have already, and the new one can go at once.
    const known = this.#store.resourceVersion(key);
    if (known !== undefined && known === object.metadata.resourceVersion) return;
    const staged = this.#stage(object);
    if (staged) changed.push(staged);
  }

  #stage(object: KubeObject): Staged<T> | undefined {
    const { managedFields: _, ...metadata } = object.metadata;
    const stripped = { ...object, metadata };
    const key = keyOfObject(stripped);
    try {
      this.#strings.shareIn(stripped);
      return this.#store.stage(key, metadata.resourceVersion, this.#settings.transform(stripped));
    } catch (err) {
      this.#threw("transform", { err, key });
      return undefined;
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { log, clock, observer } = this.#deps;
    const waitMs = this.#retry.waitAfter(error);
    // A failure after the first says nothing new, and a 410 is part of every long life.
    const isNews = this.#lastFailure === undefined && !isExpired(error);
    log[isNews ? "warn" : "debug"]({ err: error, resource: this.name, waitMs }, "following the API server failed");
    observer?.failed({ name: this.name, code: codeOf(error) });
    if (isExpired(error)) this.#resourceVersion = undefined;
    else this.#lastFailure = error instanceof Error ? error.message : String(error);
    await pause(clock, waitMs, signal);
  }

  #heard(): void {
    this.#heardAt = this.#deps.clock.monotonic();
    if (this.#lastFailure === undefined) return;
    this.#lastFailure = undefined;
    this.#deps.log.info({ resource: this.name }, "following the API server again");
  }

  #threw(by: "transform" | "listener", fields: object): void {
    const { clock, log, observer } = this.#deps;
    const now = clock.monotonic();
    const isNews = now - this.#warnedAt[by] >= faultWarningMs;
    if (isNews) this.#warnedAt[by] = now;
    log[isNews ? "warn" : "debug"]({ ...fields, resource: this.name }, `a ${by} of a cache threw`);
    observer?.threw({ name: this.name, by });
  }
}

const keyOfObject = ({ metadata: { namespace, name = "" } }: KubeObject): string => keyOf({ namespace, name });
