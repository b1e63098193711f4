import { readFile } from "node:fs/promises";
import { Reflector } from "@copepod/kube/cache/reflector";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import { z } from "zod";
import { errands } from "../cache/objects.ts";
import { type Candidate, configMaps } from "./candidate.ts";

const text = z.string().transform((base64) => Buffer.from(base64, "base64").toString());
const kubeconfigSchema = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.string(), "certificate-authority-data": text }) })]),
  users: z.tuple([z.object({ user: z.object({ "client-certificate-data": text, "client-key-data": text }) })]),
});

/** With an identity that needs no library to be read, as in a pod. */
export function makeCandidate(kubeconfigFile: string): Candidate {
  const client = createKubeClient({
    identity: async () => {
      const { clusters, users } = kubeconfigSchema.parse(JSON.parse(await readFile(kubeconfigFile, "utf8")));
      const [{ cluster }] = clusters;
      const [{ user }] = users;
      return {
        endpoint: {
          server: cluster.server,
          ca: cluster["certificate-authority-data"],
          cert: user["client-certificate-data"],
          key: user["client-key-data"],
        },
        headers: {},
      };
    },
    userAgent: "bench/1",
    clock: systemClock,
    random: Math.random,
    rate: { perSecond: 1e6, burst: 1e6 },
  });
  return {
    get: ({ namespace, name }) => client.get(configMaps, { namespace, name }),
    patch: ({ namespace, name }, data) => client.mergePatch(configMaps, { namespace, name }, { data }),
    apply: ({ namespace, name }, data) =>
      client.apply(configMaps, { metadata: { namespace, name }, data }, { fieldManager: "bench", force: true }),
    watch: async ({ namespace, name }, { signal, opened, onData }) => {
      const { metadata } = await client.get(configMaps, { namespace, name });
      const events = client.watch(configMaps, {
        namespace,
        fieldSelector: `metadata.name=${name}`,
        resourceVersion: metadata.resourceVersion ?? "",
        timeoutSeconds: 300,
        inactivityMs: 60_000,
        signal,
        opened,
      });
      for await (const event of events) if (event.type !== "BOOKMARK") onData(event.object.data);
    },
    cache: async () => {
      const log = { debug: () => {}, info: () => {}, warn: console.error };
      const deps = { client, clock: systemClock, random: Math.random, log };
      const reflector = new Reflector({ resource: errands, transform: (object) => object }, deps);
      void reflector.run(new AbortController().signal);
      await reflector.cache.whenSynced();
      return reflector.cache.size;
    },
  };
}
