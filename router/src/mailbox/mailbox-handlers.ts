import type { Handlers } from "@copepod/core/endpoint";
import type { mailboxApi } from "@copepod/core/mailbox-api";
import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import { bells, type Doorbell, longPoll } from "../http/doorbell.ts";
import type { CallContext } from "../http/listener.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Clock, Holder, QueueStore, Taken } from "../queue/queue-store.ts";
import type { Activities } from "../sessions/activities.ts";
import { replaceDrained } from "../sessions/pods.ts";
import type { PodIdentity } from "../sessions/session-starter.ts";
import type { WakeTimes } from "../sessions/wake-times.ts";
import type { WishWriter } from "../sessions/wish-writer.ts";
import type { Contexts } from "./context.ts";

export interface MailboxDeps {
  readonly store: QueueStore;
  readonly contexts: Contexts;
  readonly activities: Activities;
  readonly announcer: Announcer;
  readonly wishes: WishWriter;
  readonly doorbell: Doorbell;
  readonly metrics: RouterMetrics;
  readonly times: WakeTimes;
  readonly clock: Clock;
  readonly log: Logger;
}

type MailboxHandlers = Handlers<typeof mailboxApi, CallContext<PodIdentity>>;

const holderOf = (caller: PodIdentity, instance: string): Holder => ({
  session: caller.session,
  epoch: caller.epoch,
  podUid: caller.podUid,
  instance,
});

/** The mailbox: what a session may see and do. The caller's token says which session it is. */
export function createMailboxHandlers(deps: MailboxDeps): MailboxHandlers {
  const { store, contexts, activities, announcer, metrics } = deps;
  return {
    hello: async ({ instance }, { caller }) => {
      await store.hello(holderOf(caller, instance));
      announcer.sessionChanged(caller.session);
      deps.log.info({ session: caller.session, epoch: caller.epoch, instance }, "runner said hello");
      return { session: caller.session, epoch: caller.epoch };
    },
    take: async (input, context) => await take(deps, input, context),
    heartbeat: async ({ instance, activity }, { caller }) => {
      const { draining } = await store.extend(holderOf(caller, instance));
      activities.reported(caller.session, activity);
      return { drain: draining };
    },
    post: async ({ instance, ...message }, { caller }) => {
      const { seq, duplicate, ...written } = await store.post(holderOf(caller, instance), message);
      announcer.written(written);
      return { seq, duplicate };
    },
    acknowledge: async ({ instance, control }, { caller }) => {
      await store.acknowledge(holderOf(caller, instance), control);
      return {};
    },
    context: async (_input, { caller }) => {
      contexts.forget(caller.session);
      return await contexts.of(caller.session);
    },
    usage: async ({ entries }, { caller }) => {
      const recorded = new Set(await store.recordUsage(caller.session, entries));
      for (const entry of entries) if (recorded.has(entry.id)) metrics.usage(entry);
      return {};
    },
    drain: async (_input, { caller }) => {
      await store.drain(caller.session, caller.epoch, caller.podUid);
      announcer.sessionChanged(caller.session);
      return {};
    },
    ...turnEnds(deps),
  };
}

function turnEnds({
  store,
  activities,
  announcer,
  metrics,
  log,
}: MailboxDeps): Pick<MailboxHandlers, "finish" | "fail"> {
  return {
    finish: async ({ instance, notice, ...input }, { caller }) => {
      const { repeated, ...written } = await store.finish(holderOf(caller, instance), { ...input, notice });
      activities.ended(caller.session);
      announcer.written(written);
      announcer.sessionChanged(caller.session);
      metrics.turn(input.cancelled ? "cancelled" : "finished");
      return { repeated };
    },
    fail: async ({ instance, retryAfterMs, ...input }, { caller }) => {
      const { dead, ...written } = await store.fail(holderOf(caller, instance), { ...input, retryAfterMs });
      activities.ended(caller.session);
      announcer.written(written);
      announcer.sessionChanged(caller.session);
      metrics.turn("failed");
      log.warn({ session: caller.session, turn: input.turn, class: input.class, dead: dead.length }, "turn failed");
      return { dead: [...dead] };
    },
  };
}

async function take(
  deps: MailboxDeps,
  { instance, held, limit, waitMs }: { instance: string; held: number[]; limit: number; waitMs: number },
  { caller, signal }: CallContext<PodIdentity>,
) {
  const { store, contexts, announcer, doorbell, clock } = deps;
  // Before anything is leased: rows of a session without an agent group stay where they are.
  await contexts.of(caller.session);
  const taken = await longPoll<Taken>({
    doorbell,
    keys: [bells.session(caller.session)],
    waitMs,
    signal: signal(),
    monotonic: clock.monotonic,
    look: async () => {
      const value = await store.take(holderOf(caller, instance), { held, limit });
      announcer.written(value);
      const ready = value.messages.length > 0 || value.control.length > 0 || value.draining;
      const nextInMs = value.nextAt === undefined ? undefined : value.nextAt - clock.now();
      return { value, ready, nextInMs };
    },
  });
  const { messages, control, alreadySent, draining } = taken;
  if (messages.length > 0) deps.times.leased(caller.session);
  // Its turn may just have ended.
  if (draining) await replaceDrained(deps);
  contexts.sawDestinations(
    caller.session,
    messages.map(({ from }) => from),
  );
  const { version } = await contexts.of(caller.session);
  return {
    messages: [...messages],
    control: [...control],
    alreadySent: [...alreadySent],
    contextVersion: version,
    drain: draining,
  };
}
