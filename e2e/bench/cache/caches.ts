import { Reflector } from "@copepod/kube/cache/reflector";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { ApiError } from "@copepod/kube/errors";
import { CustomObjectsApi, KubeConfig, ListWatch, Watch } from "@kubernetes/client-node";
import { errands, namespace } from "./objects.ts";

/** What both caches must do to be compared. */
export interface FollowingCache {
  /** Resolves with the first list. */
  start(): Promise<void>;
  /** As if the server had forgotten the version. Resolves when the new list is in. */
  relist(): Promise<void>;
  readonly size: number;
  /** Called with the annotations of what an event brings. */
  onChange(listener: (annotations: Readonly<Record<string, string>>) => void): void;
  stop(): Promise<void>;
}

export const caches: Readonly<Record<"ours" | "clientNode", (kubeconfigFile: string) => FollowingCache>> = {
  ours: (file) => ourCache(file),
  clientNode: (file) => clientNodeCache(file),
};

function ourCache(file: string): FollowingCache {
  const client = createKubeClient({
    identity: kubeconfig({ files: [file] }),
    userAgent: "bench/1",
    clock: systemClock,
    random: Math.random,
  });
  let forget = new AbortController();
  let listed = Promise.withResolvers<void>();
  const reflector = new Reflector(
    { resource: errands, namespace, transform: (object) => object },
    {
      client: {
        list: (resource, options) => client.list(resource, options),
        watch: (resource, options) => {
          forget = new AbortController();
          const signals = [options.signal ?? forget.signal, forget.signal];
          return client.watch(resource, { ...options, signal: AbortSignal.any(signals) });
        },
      },
      clock: systemClock,
      random: Math.random,
      log: { debug: () => {}, info: () => {}, warn: (fields, message) => console.error(message, fields) },
      observer: { listed: () => listed.resolve(), watched: () => {}, failed: () => {}, threw: () => {} },
    },
  );
  const stop = new AbortController();
  let running = Promise.resolve();
  return {
    start: async () => {
      running = reflector.run(stop.signal);
      await reflector.cache.whenSynced();
    },
    relist: async () => {
      listed = Promise.withResolvers();
      forget.abort(new ApiError("too old", { status: 410, reason: "Expired", causes: [] }));
      await listed.promise;
    },
    get size() {
      return reflector.cache.size;
    },
    onChange: (listener) => {
      reflector.cache.subscribe((_key, { after }) => listener(after?.metadata.annotations ?? {}));
    },
    stop: async () => {
      stop.abort();
      await running;
      await client.close();
    },
  };
}

/** Its informer as its documentation shows it, on the API that gives objects of any kind as they came. */
function clientNodeCache(file: string): FollowingCache {
  const config = new KubeConfig();
  config.loadFromFile(file);
  const api = config.makeApiClient(CustomObjectsApi);
  const watch = new ForgetfulWatch(config);
  const { group, version, plural } = errands;
  const path = `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
  const list = () => api.listNamespacedCustomObject({ group, version, namespace, plural });
  const informer = new ListWatch(path, watch, list, false);
  return {
    start: async () => {
      const following = watch.opening();
      await informer.start();
      await following;
    },
    relist: async () => {
      const following = watch.opening();
      watch.forget();
      await following;
    },
    get size() {
      return informer.list(namespace).length;
    },
    onChange: (listener) => {
      for (const verb of ["add", "update"] as const) {
        informer.on(verb, ({ metadata }) => listener(metadata?.annotations ?? {}));
      }
    },
    stop: async () => await informer.stop(),
  };
}

class ForgetfulWatch extends Watch {
  #opening = Promise.withResolvers<void>();
  #done: ((error: unknown) => void) | undefined;

  /** Resolves with the next watch, so after the list before it. */
  async opening(): Promise<void> {
    this.#opening = Promise.withResolvers();
    await this.#opening.promise;
  }

  forget(): void {
    this.#done?.({ statusCode: 410 });
  }

  override watch: Watch["watch"] = async (path, query, callback, done) => {
    this.#done = done;
    this.#opening.resolve();
    return await super.watch(path, query, callback, done);
  };
}
