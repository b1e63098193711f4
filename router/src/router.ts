import { createHash } from "node:crypto";
import { adminApi } from "@copepod/core/admin-api";
import { channelApi } from "@copepod/core/channel-api";
import { CopepodError } from "@copepod/core/errors";
import { blobPaths } from "@copepod/core/files";
import { mailboxApi } from "@copepod/core/mailbox-api";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { type AdminDeps, createAdminHandlers } from "./admin/admin-handlers.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import { createChannelHandlers } from "./channel/channel-handlers.ts";
import { ChannelHealthBook } from "./channel/channel-health.ts";
import { Announcer } from "./http/announcer.ts";
import { addBlobRoutes } from "./http/blob-routes.ts";
import { Doorbell } from "./http/doorbell.ts";
import { addHealthRoutes, addMetricsRoute } from "./http/health.ts";
import { buildListener } from "./http/listener.ts";
import { Directory } from "./inbound/directory.ts";
import { Inbound, isServedByRouter } from "./inbound/inbound.ts";
import { RateLimiter } from "./inbound/rate-limiter.ts";
import { Reminders } from "./inbound/reminders.ts";
import { Contexts } from "./mailbox/context.ts";
import { createMailboxHandlers } from "./mailbox/mailbox-handlers.ts";
import { RouterMetrics } from "./metrics.ts";
import type { Clock, QueueStore } from "./queue/queue-store.ts";
import type { ResourceStore } from "./resources/resource-store.ts";
import { Activities } from "./sessions/activities.ts";
import { GroupLimits } from "./sessions/group-limits.ts";
import { keep } from "./sessions/keeper.ts";
import { createPodsListener } from "./sessions/pods.ts";
import { createRulesTeller } from "./sessions/proxy-rules.ts";
import type { SupervisorLink } from "./sessions/supervisor-link.ts";
import { WishWriter } from "./sessions/wish-writer.ts";

export interface RouterDeps {
  readonly store: QueueStore;
  readonly blobs: BlobStore;
  readonly resources: ResourceStore;
  readonly link: SupervisorLink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly makeRequestId: () => string;
  readonly log: Logger;
  readonly version: string;
  readonly retentionMs: number;
  readonly ending: AbortSignal;
}

export interface Router {
  readonly listeners: {
    readonly mailbox: FastifyInstance;
    readonly channel: FastifyInstance;
    readonly admin: FastifyInstance;
  };
  /** Follows the supervisor and keeps the queue until the router ends. */
  run(): Promise<void>;
}

/** Puts the router together from what it uses. Opens nothing and listens nowhere by itself. */
export function createRouter(deps: RouterDeps): Router {
  const { store, resources, link, clock, log } = deps;
  const parts = createParts(deps);
  const { metrics, announcer, wishes, activities } = parts;
  const notReady = () => (link.connected ? [] : ["the supervisor does not answer"]);
  const adminDeps: AdminDeps = { ...parts, version: deps.version, notReady };
  const common = { log, metrics, ending: deps.ending, makeRequestId: deps.makeRequestId };
  const listen = buildListener;
  const listeners = {
    mailbox: listen({
      ...common,
      name: "mailbox",
      api: mailboxApi,
      handlers: createMailboxHandlers(parts),
      authenticate: (bearer) => link.sessionOf(hashOf(bearer)),
    }),
    channel: listen({
      ...common,
      name: "channel",
      api: channelApi,
      handlers: createChannelHandlers(parts),
      authenticate: (bearer) => link.channelOf(hashOf(bearer)),
    }),
    // Whoever can open the socket (0600) is the owner of this installation.
    admin: listen({
      ...common,
      name: "admin",
      api: adminApi,
      handlers: createAdminHandlers(adminDeps),
      authenticate: () => "local",
    }),
  };
  for (const app of Object.values(listeners)) addHealthRoutes(app, notReady);
  addBlobRoutes(listeners.mailbox, {
    path: blobPaths.mailbox,
    blobs: deps.blobs,
    authenticate: (bearer) => link.sessionOf(hashOf(bearer)),
    sessionOf: ({ session }) => session,
    maySee: ({ session }, blob) => store.maySeeBlob(session, blob),
  });
  addBlobRoutes(listeners.admin, {
    path: blobPaths.admin,
    blobs: deps.blobs,
    authenticate: () => "local",
    sessionOf: () => undefined,
    maySee: async () => true,
  });
  addMetricsRoute(listeners.admin, async () => await metrics.render(await store.stats(), clock.now()));
  const sayChannels = () => sayExternalChannels(deps);
  const sayRules = createRulesTeller({ store, resources, wishes, log });
  resources.onChange(() => {
    metrics.resourceProblems(resources.problems().length);
    sayChannels();
    sayRules();
  });
  const pods = createPodsListener({ store, wishes, announcer, activities, metrics, log, sayChannels });
  return {
    listeners,
    run: async () => {
      await Promise.all([
        link.follow(pods, deps.ending),
        keep({ ...parts, blobs: deps.blobs, retentionMs: deps.retentionMs, activities }, deps.ending),
      ]);
    },
  };
}

function createParts(deps: RouterDeps) {
  const { store, resources, link, clock, random, log, ending } = deps;
  const doorbell = new Doorbell();
  const announcer = new Announcer(doorbell);
  const metrics = new RouterMetrics();
  const activities = new Activities((conversation) => announcer.activityChanged(conversation));
  const limits = new GroupLimits(resources);
  const wishes = new WishWriter({ store, starter: link, random, log, signal: ending });
  const directory = new Directory(store, clock.monotonic);
  const shared = { store, resources, clock, log, announcer, metrics, activities, limits, wishes, directory, doorbell };
  const inbound = new Inbound({
    ...shared,
    limiter: new RateLimiter(clock.monotonic),
    reminders: new Reminders(clock.monotonic),
  });
  return { ...shared, inbound, contexts: new Contexts(store, resources), health: new ChannelHealthBook() };
}

function hashOf(bearer: string | undefined): string {
  if (bearer === undefined) throw new CopepodError("unauthorized", "the request carries no bearer token");
  return createHash("sha256").update(bearer).digest("hex");
}

function sayExternalChannels({ resources, link, log }: RouterDeps): void {
  const channels = [...resources.current().channels]
    .filter(([, { spec }]) => !isServedByRouter(spec.type))
    .map(([channel, { spec }]) => ({ channel, type: spec.type }));
  link.putChannels(channels).catch((err: unknown) => {
    log.debug({ err }, "the supervisor did not take the list of channels; it is said again on reconnect");
  });
}
