import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { Reflector, type ReflectorSettings } from "@copepod/kube/cache/reflector";
import type { Identity } from "@copepod/kube/client/access";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import { isExpired } from "@copepod/kube/errors";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { until } from "../../support/until.ts";
import { configMaps } from "../example/copier.ts";

const namespaces: Resource = { group: "", version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };

/** A client of its own for the cache under test, through which its calls can be counted and held up. */
export interface FollowerOptions {
  readonly identity: Identity;
  readonly namespace: string;
  readonly settings?: Partial<ReflectorSettings<KubeObject>>;
  /** Replaces what the reflector draws. */
  readonly watchSeconds?: number;
}

/** A cache of the ConfigMaps of one namespace on a real API server, and all that it did and was told. */
export class Follower implements AsyncDisposable {
  readonly reflector: Reflector<KubeObject>;
  readonly logged: string[] = [];
  /** What the changes that a listener was told of add up to. */
  readonly told = new Map<string, KubeObject>();
  readonly changes: string[] = [];
  lists = 0;
  watches = 0;
  failures = 0;
  /** Of the failures, those by which the server asks for a list. */
  expired = 0;
  #watching = 0;
  #cut = new AbortController();
  #gate: PromiseWithResolvers<void> | undefined;
  readonly #client: KubeClient;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor({ identity, namespace, settings, watchSeconds }: FollowerOptions) {
    this.#client = createKubeClient({ identity, userAgent: "follower/1", clock: systemClock, random: Math.random });
    const log = (fields: object, message: string) => void this.logged.push(`${message} ${inspect(fields)}`);
    this.reflector = new Reflector(
      { resource: configMaps, namespace, transform: (object) => object, ...settings },
      {
        client: {
          list: (resource, options) => {
            this.lists += 1;
            return this.#client.list(resource, options);
          },
          watch: (resource, options) =>
            this.#watch(resource, { ...options, timeoutSeconds: watchSeconds ?? options.timeoutSeconds }),
        },
        clock: systemClock,
        random: Math.random,
        log: { debug: () => {}, info: log, warn: log },
        observer: { listed: () => {}, watched: () => {}, failed: () => void this.failures++, threw: () => {} },
      },
    );
    this.cache.subscribe((key, { after }) => {
      this.changes.push(key);
      if (after) this.told.set(key, after);
      else this.told.delete(key);
    });
  }

  get cache() {
    return this.reflector.cache;
  }

  /** Whether the API server has taken a watch that is still open. */
  get isWatching(): boolean {
    return this.#watching > 0;
  }

  /** Runs, and waits until it follows. */
  async follow(): Promise<void> {
    this.#running = this.reflector.run(this.#stop.signal);
    await this.watching();
  }

  async watching(): Promise<void> {
    await until("a watch is open", () => this.isWatching);
  }

  /** Ends the open watch as if its connection had broken. No other gets through until `letWatch`. */
  cut(): void {
    this.#gate = Promise.withResolvers();
    this.#cut.abort(new Error("cut"));
    this.#cut = new AbortController();
  }

  letWatch(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** Waits until the cache has what the namespace has. @throws when it gets there by wrong changes */
  async untilEqual(server: KubeClient, namespace: string, timeoutMs?: number): Promise<void> {
    const { items } = await server.page(configMaps, { namespace });
    const expected = items.map(describe).sort().join("\n");
    const isSo = (objects: Iterable<KubeObject>) => [...objects].map(describe).sort().join("\n") === expected;
    await until("the cache has what the server has", () => isSo(this.cache.values()), timeoutMs);
    await until("the changes add up to it", () => isSo(this.told.values()), 1_000);
  }

  async stop(): Promise<void> {
    this.letWatch();
    this.#stop.abort(new Error("stopped"));
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#client.close();
  }

  async *#watch(
    ...[resource, options]: Parameters<KubeClient["watch"]>
  ): ReturnType<KubeClient["watch"]> & AsyncGenerator {
    await this.#gate?.promise;
    this.watches += 1;
    let opened = 0;
    const onOpened = () => {
      options.opened?.();
      this.#watching += 1;
      opened = 1;
    };
    try {
      const signal = AbortSignal.any([this.#stop.signal, this.#cut.signal]);
      yield* this.#client.watch(resource, { ...options, opened: onOpened, signal });
    } catch (error) {
      if (isExpired(error)) this.expired += 1;
      throw error;
    } finally {
      this.#watching -= opened;
    }
  }
}

const describe = ({ metadata }: KubeObject): string => `${metadata.name} ${metadata.resourceVersion}`;

/** A namespace that no other test uses. */
export async function makeNamespace(server: KubeClient): Promise<string> {
  const name = `cache-${randomUUID().slice(0, 8)}`;
  await server.create(namespaces, { metadata: { name } });
  return name;
}

/** Writes ConfigMaps, as somebody else would. */
export class Writer {
  readonly #server: KubeClient;
  readonly namespace: string;

  constructor(server: KubeClient, namespace: string) {
    this.#server = server;
    this.namespace = namespace;
  }

  async put(name: string, value = "1"): Promise<void> {
    const object = { metadata: { namespace: this.namespace, name }, data: { value } };
    await this.#server.apply(configMaps, object, { fieldManager: "writer" });
  }

  async remove(name: string): Promise<void> {
    await this.#server.delete(configMaps, { namespace: this.namespace, name });
  }
}
