import { adminApi } from "@copepod/core/admin-api";
import { channelApi } from "@copepod/core/channel-api";
import { CopepodError } from "@copepod/core/errors";
import { blobPaths } from "@copepod/core/files";
import { mailboxApi } from "@copepod/core/mailbox-api";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { type AdminDeps, createAdminHandlers } from "./admin/admin-handlers.ts";
import { addBackupRoute } from "./admin/backup-route.ts";
import { maySeeFile, uploaderOf } from "./admin/own.ts";
import type { Person } from "./admin/person.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import { createChannelHandlers, requireHosted } from "./channel/channel-handlers.ts";
import { ChannelHealthBook } from "./channel/channel-health.ts";
import { Announcer } from "./http/announcer.ts";
import { addBlobRoutes } from "./http/blob-routes.ts";
import { Doorbell } from "./http/doorbell.ts";
import { addHealthRoutes } from "./http/health.ts";
import { buildListener } from "./http/listener.ts";
import { Directory } from "./inbound/directory.ts";
import { Inbound, isServedByRouter } from "./inbound/inbound.ts";
import { RateLimiter } from "./inbound/rate-limiter.ts";
import { Reminders } from "./inbound/reminders.ts";
import { Contexts } from "./mailbox/context.ts";
import { createMailboxHandlers } from "./mailbox/mailbox-handlers.ts";
import type { RouterMetrics } from "./metrics.ts";
import type { Clock, QueueStore } from "./queue/queue-store.ts";
import type { ResourceStore } from "./resources/resource-store.ts";
import { Activities } from "./sessions/activities.ts";
import { GroupLimits } from "./sessions/group-limits.ts";
import { keep } from "./sessions/keeper.ts";
import { createPauseTeller } from "./sessions/pauses.ts";
import { createPodsListener } from "./sessions/pods.ts";
import { createRulesTeller } from "./sessions/proxy-rules.ts";
import type { StarterLink } from "./sessions/session-starter.ts";
import { WakeTimes } from "./sessions/wake-times.ts";
import { WishWriter } from "./sessions/wish-writer.ts";

export interface RouterDeps {
  readonly store: QueueStore;
  readonly blobs: BlobStore;
  readonly resources: ResourceStore;
  readonly link: StarterLink;
  /** Who calls the admin API. @throws CopepodError `unauthorized` */
  readonly personOf: (bearer: string | undefined) => Promise<Person>;
  /** Namespaces that the router follows; undefined = all that resources name. */
  readonly namespaces: readonly string[] | undefined;
  readonly metrics: RouterMetrics;
  readonly clock: Clock;
  readonly random: () => number;
  readonly makeRequestId: () => string;
  readonly log: Logger;
  readonly version: string;
  readonly retentionMs: number;
  /** Folder of copies of the queue that are being sent, on its own disk. */
  readonly copiesDir: string;
  readonly ending: AbortSignal;
}

export interface Router {
  readonly listeners: {
    readonly mailbox: FastifyInstance;
    readonly channel: FastifyInstance;
    readonly admin: FastifyInstance;
  };
  /** Sentences; empty = ready. */
  notReady(): readonly string[];
  /** In Prometheus' format. */
  renderMetrics(): Promise<string>;
  /** Follows what runs and keeps the queue until the router ends. */
  run(): Promise<void>;
}

/** Puts the router together from what it uses. Opens nothing and listens nowhere by itself. */
export function createRouter(deps: RouterDeps): Router {
  const { store, resources, link, clock, log } = deps;
  const parts = createParts(deps);
  const { metrics, announcer, wishes } = parts;
  const notReady = () => (deps.ending.aborted ? ["the router is ending"] : link.notReady());
  const listeners = createListeners(deps, parts, notReady);
  const sayChannels = () => sayExternalChannels(deps);
  const sayRules = createRulesTeller({ store, resources, wishes, log });
  const sayPauses = createPauseTeller({ store, resources, link, announcer, log });
  sayPauses();
  resources.onChange(() => {
    metrics.resourceProblems(resources.problems().length);
    sayChannels();
    sayRules();
    sayPauses();
  });
  const pods = createPodsListener({ ...parts, sayChannels, sayPauses });
  return {
    listeners,
    notReady,
    renderMetrics: async () => await metrics.render(await store.stats(), clock.now()),
    run: async () => {
      await Promise.all([
        link.follow(pods, deps.ending),
        keep({ ...parts, blobs: deps.blobs, retentionMs: deps.retentionMs }, deps.ending),
      ]);
    },
  };
}

function createListeners(
  deps: RouterDeps,
  parts: ReturnType<typeof createParts>,
  notReady: () => readonly string[],
): Router["listeners"] {
  const { store, blobs, link, log, ending, makeRequestId, version, namespaces, personOf } = deps;
  const adminDeps: AdminDeps = { ...parts, namespaces, version, notReady };
  const common = { log, metrics: deps.metrics, ending, makeRequestId };
  const sessionOf = async (bearer: string | undefined) => await link.sessionOf(required(bearer));
  const channelOf = async (bearer: string | undefined) =>
    requireHosted(deps.resources.current(), await link.channelOf(required(bearer)));
  const [mailbox, channel] = [createMailboxHandlers(parts), createChannelHandlers(parts)];
  const admin = createAdminHandlers(adminDeps);
  const listeners = {
    mailbox: buildListener({
      ...common,
      name: "mailbox",
      api: mailboxApi,
      handlers: mailbox,
      authenticate: sessionOf,
    }),
    channel: buildListener({
      ...common,
      name: "channel",
      api: channelApi,
      handlers: channel,
      authenticate: channelOf,
    }),
    admin: buildListener({ ...common, name: "admin", api: adminApi, handlers: admin, authenticate: personOf }),
  };
  for (const app of Object.values(listeners)) addHealthRoutes(app, notReady);
  addBlobRoutes(listeners.mailbox, {
    path: blobPaths.mailbox,
    blobs,
    authenticate: sessionOf,
    sessionOf: ({ session }) => session,
    maySee: ({ session }, blob) => store.maySeeBlob(session, blob),
  });
  addBlobRoutes(listeners.admin, {
    path: blobPaths.admin,
    blobs,
    authenticate: personOf,
    sessionOf: uploaderOf,
    maySee: (person, blob) => maySeeFile(store, person, blob),
  });
  addBackupRoute(listeners.admin, { ...adminDeps, folder: deps.copiesDir, authenticate: personOf });
  return listeners;
}

function createParts(deps: RouterDeps) {
  const { store, resources, link, clock, random, log, metrics, ending } = deps;
  const doorbell = new Doorbell();
  const announcer = new Announcer(doorbell, (session) => link.touched(session));
  const activities = new Activities((conversation) => announcer.activityChanged(conversation));
  const limits = new GroupLimits(resources);
  const times = new WakeTimes(metrics, clock.monotonic);
  const wishes = new WishWriter({ store, starter: times.watch(link), random, log, signal: ending });
  const directory = new Directory(store, clock.monotonic);
  const shared = {
    store,
    resources,
    clock,
    log,
    announcer,
    metrics,
    activities,
    limits,
    wishes,
    times,
    directory,
    doorbell,
  };
  const inbound = new Inbound({
    ...shared,
    limiter: new RateLimiter(clock.monotonic),
    reminders: new Reminders(clock.monotonic),
  });
  return { ...shared, inbound, contexts: new Contexts(store, resources), health: new ChannelHealthBook() };
}

function required(bearer: string | undefined): string {
  if (bearer !== undefined) return bearer;
  throw new CopepodError("unauthorized", "the request carries no bearer token");
}

function sayExternalChannels({ resources, link, log }: RouterDeps): void {
  const channels = [...resources.current().channels]
    .filter(([, { spec }]) => !isServedByRouter(spec.type))
    .map(([channel, { spec }]) => ({ channel, type: spec.type }));
  link.putChannels(channels).catch((err: unknown) => {
    log.debug({ err }, "the starter did not take the list of channels; it is said again on reconnect");
  });
}
