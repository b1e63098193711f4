import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  Watch,
} from "@kubernetes/client-node";
import { caches } from "../cache/caches.ts";
import type { Candidate } from "./candidate.ts";

/** As its documentation shows it. */
export function makeCandidate(kubeconfigFile: string): Candidate {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigFile);
  const api = config.makeApiClient(CoreV1Api);
  const as = (strategy: (typeof PatchStrategy)[keyof typeof PatchStrategy]) =>
    setHeaderOptions("Content-Type", strategy);
  return {
    get: ({ namespace, name }) => api.readNamespacedConfigMap({ namespace, name }),
    patch: ({ namespace, name }, data) =>
      api.patchNamespacedConfigMap({ namespace, name, body: { data } }, as(PatchStrategy.MergePatch)),
    apply: ({ namespace, name }, data) => {
      const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
      const target = { namespace, name, fieldManager: "bench", force: true, body };
      return api.patchNamespacedConfigMap(target, as(PatchStrategy.ServerSideApply));
    },
    watch: async ({ namespace, name }, { signal, opened, onData }) => {
      const done = Promise.withResolvers<void>();
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      const query = { fieldSelector: `metadata.name=${name}` };
      const onEvent = (_: string, { data }: V1ConfigMap) => onData(data);
      const request = await new Watch(config).watch(path, query, onEvent, () => done.resolve());
      signal.addEventListener("abort", () => request.abort());
      opened();
      await done.promise;
    },
    cache: async () => {
      const cache = caches.clientNode(kubeconfigFile);
      await cache.start();
      return cache.size;
    },
  };
}
