import type { channelApi } from "@copepod/core/channel-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import { bells, type Doorbell, longPoll } from "../http/doorbell.ts";
import type { CallContext } from "../http/listener.ts";
import { type Inbound, isServedByRouter } from "../inbound/inbound.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Clock, QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore, Resources } from "../resources/resource-store.ts";
import type { Activities } from "../sessions/activities.ts";
import type { ChannelHealthBook } from "./channel-health.ts";

export interface ChannelDeps {
  readonly store: QueueStore;
  readonly resources: Pick<ResourceStore, "current">;
  readonly inbound: Inbound;
  readonly health: ChannelHealthBook;
  readonly activities: Activities;
  readonly announcer: Announcer;
  readonly doorbell: Doorbell;
  readonly metrics: RouterMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

type ChannelHandlers = Handlers<typeof channelApi, CallContext<string>>;
type LeaseInput = Parameters<ChannelHandlers["lease"]>[0];

/**
 * Nobody but the router speaks for a channel that it serves itself: what a host says of senders is believed.
 * @throws CopepodError `unauthorized`
 */
export function requireHosted({ channels }: Resources, channel: string): string {
  const type = channels.get(channel)?.spec.type;
  if (type === undefined || !isServedByRouter(type)) return channel;
  throw new CopepodError("unauthorized", `the router serves channels of type “${type}” itself; they have no host`);
}

/** Calls of adapter hosts. The caller is the row key of its Channel. */
export function createChannelHandlers(deps: ChannelDeps): ChannelHandlers {
  const { store, announcer, metrics, log } = deps;
  return {
    hello: async ({ instance, type }, { caller }) => {
      const channel = deps.resources.current().channels.get(caller);
      if (channel?.spec.type !== type) {
        throw new CopepodError("conflict", `the channel is not (or no longer) of type “${type}”`);
      }
      const { cursor } = await store.channelHello(caller, instance);
      log.info({ channel: caller, instance }, "adapter host said hello");
      announcer.written({ channels: [caller], conversations: [] });
      return { channel: caller, config: channel.spec.config, ...(cursor === undefined ? {} : { cursor }) };
    },
    accept: async ({ events, unreadable, cursor }, { caller }) => {
      const refused = unreadable.map(({ reason, ...event }) => ({ ...event, text: "", unreadable: reason }));
      return (await deps.inbound.accept({ channel: caller, events: [...events, ...refused], cursor })).counts;
    },
    lease: async (input, context) => await lease(deps, input, context),
    complete: async ({ instance, id, platformMessageId }, { caller }) => {
      announcer.written(await store.completeOut(caller, instance, id, platformMessageId));
      metrics.delivered("sent");
      return {};
    },
    fail: async ({ instance, id, error }, { caller }) => {
      announcer.written(await store.failOut(caller, instance, id, error));
      metrics.delivered("failed");
      log.warn({ channel: caller, id, class: error.class }, "delivery failed");
      return {};
    },
    health: async ({ state, detail }, { caller }) => {
      deps.health.set(caller, { state, ...(detail === undefined ? {} : { detail }) });
      return {};
    },
  };
}

async function lease(deps: ChannelDeps, input: LeaseInput, { caller, signal }: CallContext<string>) {
  const { store, activities, doorbell, clock } = deps;
  return await longPoll({
    doorbell,
    keys: [bells.channel(caller)],
    waitMs: input.waitMs,
    signal: signal(),
    monotonic: clock.monotonic,
    look: async () => {
      const { typing, version: typingVersion } = activities.typingOf(caller);
      const { deliveries, nextAt } = await store.leaseOut(caller, input.instance, input);
      const nextInMs = nextAt === undefined ? undefined : nextAt - clock.now();
      const ready = deliveries.length > 0 || typingVersion !== input.typingVersion;
      return { value: { deliveries: [...deliveries], typing, typingVersion }, ready, nextInMs };
    },
  });
}
