import { parseArgs } from "node:util";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import type { Resource } from "@copepod/kube/object";
import { pino } from "pino";
import { enforce } from "./enforce.ts";
import { applyTable } from "./nftables.ts";
import { parseNamespace, parsePod } from "./pod.ts";
import { parsePolicy } from "./policy.ts";

/**
 * Enforces the cluster's network policies in the network namespace that it is started in, by `nft` of the PATH. Runs until
 * SIGTERM or SIGINT (then 0) or until nft refuses a table (then 1: start it again); an API server that is away ends nothing.
 * Its table stays when it ends. The identity needs `list` and `watch` of pods, namespaces and networkpolicies.
 */
const usage = "usage: node e2e/cluster/network-policy/main.ts --kubeconfig FILE";

const coreResource = { group: "", version: "v1" } as const;
const podResource: Resource = { ...coreResource, kind: "Pod", plural: "pods", namespaced: true };
const namespaceResource: Resource = { ...coreResource, kind: "Namespace", plural: "namespaces", namespaced: false };
const policyResource: Resource = {
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  namespaced: true,
};

const { values } = parseArgs({ options: { kubeconfig: { type: "string" } } });
if (values.kubeconfig === undefined) {
  console.error(usage);
  process.exit(2);
}

const log = pino({ base: { program: "network-policy" } });
const life = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => life.abort());

const client = createKubeClient({
  identity: kubeconfig({ files: [values.kubeconfig] }),
  userAgent: "copepod-network-policy/1",
  clock: systemClock,
  random: Math.random,
});
const reflectors = new Reflectors({ client, clock: systemClock, random: Math.random, log });
const pods = reflectors.declare({ resource: podResource, transform: parsePod });
const namespaces = reflectors.declare({ resource: namespaceResource, transform: parseNamespace });
const policies = reflectors.declare({ resource: policyResource, transform: parsePolicy });
const reflecting = reflectors.run(life.signal);
try {
  await enforce({ pods, namespaces, policies, apply: (table) => applyTable(table), log }, life.signal);
} catch (error) {
  log.error({ err: error }, "ends: the policies that were in force stay so, and no others come");
  process.exitCode = 1;
} finally {
  life.abort();
  await reflecting;
  await client.close();
}
