import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { audiences } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { untilEnded } from "@copepod/core/lifetime";
import { longPollMs } from "@copepod/core/limits";
import { supervisorApi } from "@copepod/core/supervisor-api";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import { inCluster } from "@copepod/kube/client/in-cluster";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { clientMetrics, reflectorMetrics } from "@copepod/kube/metrics/metrics";
import type { Rate } from "@copepod/kube/token-bucket";
import type { Logger } from "pino";
import { ulid } from "ulid";
import { Agent, fetch } from "undici";
import { owner, personOf } from "./admin/person.ts";
import { BlobStore } from "./blobs/blob-store.ts";
import { type ClusterConfig, type LocalConfig, type RouterConfig, readConfig } from "./config.ts";
import { addMetricsRoute } from "./http/health.ts";
import { buildHealthListener } from "./http/health-listener.ts";
import { createRequestIds } from "./http/request-ids.ts";
import { TokenReviews } from "./http/token-reviews.ts";
import { createLog } from "./log.ts";
import { RouterMetrics } from "./metrics.ts";
import type { QueueStore } from "./queue/queue-store.ts";
import { openSqliteQueue } from "./queue/sqlite/open-sqlite-queue.ts";
import { openClusterResources } from "./resources/cluster/cluster-resources.ts";
import type { ResourceStore } from "./resources/resource-store.ts";
import { openYamlFolder } from "./resources/yaml-folder.ts";
import { createRouter, type Router, type RouterDeps } from "./router.ts";
import { ClusterLink } from "./sessions/cluster/cluster-link.ts";
import { SessionObjects } from "./sessions/cluster/session-objects.ts";
import { StatusWriter } from "./sessions/cluster/status-writer.ts";
import { SupervisorLink } from "./sessions/supervisor-link.ts";

/** Room for the answer of a long poll that lasts its full time. */
const clientTimeoutMs = longPollMs + 15_000;
/** Wishes and statuses. A hundred sessions that wake at once wait for nothing but the API server. */
const writesRate = { perSecond: 50, burst: 200 };
/** Reviews have clients of their own, so that a flood of bad tokens keeps no session from waking; and people's theirs. */
const reviewsRate = { perSecond: 50, burst: 200 };
const peopleRate = { perSecond: 10, burst: 50 };
const anyAddress = "0.0.0.0";

/** What is the same wherever the router runs. */
interface Frame {
  readonly config: RouterConfig;
  readonly log: Logger;
  readonly store: QueueStore;
  readonly metrics: RouterMetrics;
  readonly version: string;
  readonly ending: AbortSignal;
}

type Place = Pick<RouterDeps, "resources" | "link" | "personOf" | "namespaces">;

/** Where the router finds its resources and sessions, and where it is found. */
interface Surroundings extends AsyncDisposable {
  readonly place: Place;
  listen(router: Router): Promise<void>;
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const ending = untilEnded(process, config.endWithStdin ? process.stdin : undefined);
  // Sockets and database belong to this user alone.
  process.umask(0o077);
  await using store = await openSqliteQueue({ path: config.queuePath, clock: systemClock, thread: "worker", log });
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  const frame = { config, log, store, metrics: new RouterMetrics(), version, ending };
  await using surroundings = await open(frame, config.place);
  // Of a router that was killed while it sent one.
  await rm(config.copiesDir, { recursive: true, force: true });
  const blobs = await BlobStore.open({ folder: config.blobsDir, store, clock: systemClock });
  const router = createRouter({
    ...frame,
    ...surroundings.place,
    blobs,
    clock: systemClock,
    random: Math.random,
    makeRequestId: createRequestIds(ulid()),
    retentionMs: config.retentionMs,
    copiesDir: config.copiesDir,
  });
  await surroundings.listen(router);
  const problems = surroundings.place.resources.problems().length;
  log.info({ version, problems, ms: Math.round(performance.now() - startedAt) }, "router is ready");
  await router.run();
  log.info({ reason: String(ending.reason) }, "router is ending");
  await Promise.all(Object.values(router.listeners).map((app) => app.close()));
}

async function open(frame: Frame, place: RouterConfig["place"]): Promise<Surroundings> {
  switch (place.kind) {
    case "local":
      return await openLocal(frame, place);
    case "cluster":
      return await openCluster(frame, place);
  }
}

/** One machine: YAML files, the supervisor, and Unix sockets. */
async function openLocal(
  { log }: Frame,
  { resourcesDir, supervisorSocket, sockets }: LocalConfig,
): Promise<Surroundings> {
  const resources = await openYamlFolder({ folder: resourcesDir, log });
  const dispatcher = new Agent({
    connect: { socketPath: supervisorSocket },
    headersTimeout: clientTimeoutMs,
    bodyTimeout: clientTimeoutMs,
  });
  const client = createClient(supervisorApi, {
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
    baseUrl: "http://supervisor",
  });
  const link = new SupervisorLink({ client, resources, random: Math.random, log });
  return {
    // Whoever can open the socket (0600) is the owner of this installation.
    place: { resources, link, personOf: async () => owner, namespaces: undefined },
    listen: async ({ listeners, renderMetrics }) => {
      addMetricsRoute(listeners.admin, renderMetrics);
      for (const name of ["mailbox", "channel", "admin"] as const) {
        await rm(sockets[name], { force: true });
        await listeners[name].listen({ path: sockets[name] });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await resources[Symbol.asyncDispose]();
      await dispatcher.destroy();
    },
  };
}

/** A cluster: resources and sessions at the API server, and TCP ports. Resolves when all of them are known. */
async function openCluster(frame: Frame, { access, namespaces, admins, ports }: ClusterConfig): Promise<Surroundings> {
  const { log, store, metrics, version, ending } = frame;
  const identity = access.kind === "pod" ? inCluster(access) : kubeconfig({ files: access.files });
  const tools = { clock: systemClock, random: Math.random };
  const common = {
    identity,
    userAgent: `copepod-router/${version}`,
    observer: clientMetrics(metrics.registry),
    ...tools,
  };
  const connect = (rate: Rate) => createKubeClient({ ...common, rate });
  const [client, reviewer, peopleReviewer] = [connect(writesRate), connect(reviewsRate), connect(peopleRate)];
  const reflectors = new Reflectors({ client, log, observer: reflectorMetrics(metrics.registry), ...tools });
  const resources: ResourceStore = openClusterResources({ reflectors, namespaces, log });
  const sessions = new SessionObjects({ client, reflectors, namespaces, clock: systemClock });
  const statuses = new StatusWriter({ store, sessions, client, clock: systemClock, log });
  const reviews = new TokenReviews(reviewer, systemClock);
  const people = new TokenReviews(peopleReviewer, systemClock);
  const link = new ClusterLink({ sessions, reflectors, reviews, statuses, namespaces, random: Math.random, log });
  // It answers from the first moment on: a router that waits for the API server is alive, and says what for.
  let router: Router | undefined;
  // Later it stays ready while the API server is away: sessions that run need it the more.
  const notReady = () => {
    if (ending.aborted) return ["the router is ending"];
    return router ? [] : [...link.notReady(), "the router is starting"];
  };
  const health = buildHealthListener({ notReady, render: async () => (await router?.renderMetrics()) ?? "" });
  await health.listen({ host: anyAddress, port: ports.metrics });
  const following = new AbortController();
  const running = reflectors.run(following.signal);
  const close = async () => {
    following.abort(new Error("the router ends"));
    await running;
    await resources[Symbol.asyncDispose]();
    await Promise.all([client, reviewer, peopleReviewer, health].map((one) => one.close()));
  };
  await reflectors.whenSynced(ending).catch((error: unknown) => {
    if (!ending.aborted) throw error;
  });
  const isAdmin = new Set(admins);
  const personOfToken = async (bearer: string | undefined) => {
    if (bearer === undefined) throw new CopepodError("unauthorized", "the request carries no bearer token");
    return personOf(await people.review(bearer, audiences.admin), isAdmin);
  };
  return {
    place: { resources, link, personOf: personOfToken, namespaces },
    listen: async (made) => {
      for (const name of ["mailbox", "channel", "admin"] as const) {
        await made.listeners[name].listen({ host: anyAddress, port: ports[name] });
      }
      router = made;
    },
    [Symbol.asyncDispose]: close,
  };
}

try {
  await main();
} catch (error) {
  process.stderr.write(`router: ${codeOf(error)}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
  // The open pipe from the parent would keep the process.
  process.stdin.destroy();
}
