import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { createServer } from "node:http";
import { CopepodError } from "@copepod/core/errors";
import { inCluster } from "@copepod/kube/client/in-cluster";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { type HealthCheck, healthOf } from "@copepod/kube/metrics/health";
import { clientMetrics } from "@copepod/kube/metrics/metrics";
import { type Logger, pino } from "pino";
import { Registry } from "prom-client";
import packageJson from "../package.json" with { type: "json" };
import { type OperatorConfig, readConfig } from "./config.ts";
import { makeOperator } from "./operator.ts";

// Ends with 0 after SIGTERM, and with 1 when it no longer leads: then it is to be started anew.

async function main(config: OperatorConfig): Promise<void> {
  const log = pino({ level: config.logLevel, base: { program: "operator" } });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort(new Error(signal)));

  const registry = new Registry();
  const tools = { clock: systemClock, random: Math.random };
  const { qps: perSecond, burst } = config.settings.client;
  const identity = config.kubeconfig ? kubeconfig({ files: [config.kubeconfig] }) : inCluster(config.apiServer);
  const userAgent = `copepod-operator/${packageJson.version}`;
  const observer = clientMetrics(registry);
  const connect = () => createKubeClient({ identity, userAgent, observer, rate: { perSecond, burst }, ...tools });
  // However busy the one is, the other renews the Lease in time.
  const [client, leaseClient] = [connect(), connect()];
  const { namespaces, podNamespace, podName, settings } = config;
  const operator = makeOperator({
    ...{ client, leaseClient, registry, namespaces, podNamespace, podName, settings, log, ...tools },
    lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
    newPlaceholder: () => randomBytes(32).toString("base64url"),
    newId: () => randomBytes(5).toString("hex"),
  });
  serve(config.metricsPort, { log, registry, readiness: () => operator.readiness(stop.signal) });
  try {
    await operator.run(stop.signal);
  } catch (error) {
    log.error({ err: error }, "ends, and is to be started anew");
    process.exitCode = 1;
  }
}

interface Served {
  readonly log: Logger;
  readonly registry: Registry;
  readonly readiness: () => readonly HealthCheck[];
}

function serve(port: number, { log, registry, readiness }: Served): void {
  const checksOf = new Map([
    ["/healthz", () => []],
    ["/readyz", readiness],
  ]);
  const server = createServer(async ({ url = "" }, response) => {
    if (url === "/metrics") {
      response.setHeader("content-type", registry.contentType).end(await registry.metrics());
      return;
    }
    const checks = checksOf.get(url);
    const health = checks && healthOf(checks());
    if (health) response.writeHead(health.ok ? 200 : 503).end(JSON.stringify(health));
    else response.writeHead(404).end();
  });
  server.listen(port, () => log.info({ address: server.address() }, "serves metrics and health"));
}

try {
  await main(readConfig(process.env));
} catch (error) {
  console.error(error instanceof CopepodError ? `copepod operator: ${error.message}` : error);
  process.exitCode = error instanceof CopepodError && error.code === "invalid" ? 2 : 1;
}
// Not by itself: a reconcile that did not end in time must not act any longer.
process.exit();
