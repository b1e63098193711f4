import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { healthOf } from "@copepod/kube/metrics/health";
import { clientMetrics } from "@copepod/kube/metrics/metrics";
import { pino } from "pino";
import { Registry } from "prom-client";
import { makeCopier } from "./copier.ts";

// Ends with 0 after SIGTERM, and with 1 when it no longer leads: then it is to be started anew.

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string", default: "" },
    namespace: { type: "string", default: "default" },
    port: { type: "string", default: "8080" },
  },
});

const log = pino({ base: { program: "copier" } });
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort(new Error(signal)));

const registry = new Registry();
const tools = { clock: systemClock, random: Math.random };
const parts = { userAgent: "copier/1", observer: clientMetrics(registry), ...tools };
const connect = () => createKubeClient({ identity: kubeconfig({ files: [values.kubeconfig] }), ...parts });
// However busy the one is, the other renews the Lease in time.
const [client, leaseClient] = [connect(), connect()];
const { namespace } = values;
const copier = makeCopier({ client, leaseClient, registry, namespace, candidate: randomUUID(), log, ...tools });

const checksOf = { "/healthz": () => [], "/readyz": () => copier.readiness(stop.signal) };
const server = createServer(async ({ url }, response) => {
  if (url === "/metrics") return response.end(await registry.metrics());
  const checks = Object.entries(checksOf).find(([path]) => path === url)?.[1];
  if (!checks) return response.writeHead(404).end();
  const health = healthOf(checks());
  return response.writeHead(health.ok ? 200 : 503).end(JSON.stringify(health));
});
server.listen(Number(values.port), () => log.info({ address: server.address() }, "serves metrics and health"));

try {
  await copier.run(stop.signal);
} catch (error) {
  log.error({ err: error }, "ends, and is to be started anew");
  process.exitCode = 1;
}
// Not by itself: a reconcile that did not end in time must not act any longer.
process.exit();
