import { setTimeout as pause } from "node:timers/promises";
import { leaseMs } from "@copepod/core/limits";
import type { Logger } from "pino";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { Announcer } from "../http/announcer.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Clock, QueueStore } from "../queue/queue-store.ts";
import type { Activities } from "./activities.ts";
import type { GroupLimits } from "./group-limits.ts";
import { replaceDrained } from "./pods.ts";
import type { WishWriter } from "./wish-writer.ts";

/** How often idle sessions, ended leases and waiting sessions are looked for. */
const roundMs = 1_000;
/** A session stays awake when a delayed row becomes due within this time. */
export const sleepGraceMs = 120_000;
/** Sessions put to sleep per group and round. */
const maxSleepsPerRound = 50;
const purgeEveryMs = 60_000;
/** A round that comes this late means that the router stood still, and heard nobody. */
const stoodStillMs = leaseMs / 2;

export interface KeeperDeps {
  readonly store: QueueStore;
  readonly blobs: Pick<BlobStore, "sweep">;
  readonly limits: GroupLimits;
  readonly wishes: WishWriter;
  readonly announcer: Announcer;
  readonly activities: Activities;
  readonly metrics: RouterMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Rows that ended longer ago than this are removed. */
  readonly retentionMs: number;
}

/** Does, round by round, what no request asks for: delayed rows, ended leases, sleep, admission, purge. */
export async function keep(deps: KeeperDeps, signal: AbortSignal): Promise<void> {
  const startedAt = deps.clock.monotonic();
  const times = { lastRoundAt: startedAt, expireFrom: startedAt, purgeAt: startedAt };
  while (!signal.aborted) {
    const waitMs = await keepOnce(deps, times).catch((err: unknown) => {
      deps.log.warn({ err }, "a round of keeping failed and is tried again");
      return roundMs;
    });
    await pause(waitMs, undefined, { signal }).catch(() => {});
  }
}

/** Monotonic times, in ms. */
interface Times {
  lastRoundAt: number;
  /** Before it no lease is ended: after a stand-still every holder gets the time to be heard again. */
  expireFrom: number;
  purgeAt: number;
}

/** @returns ms until the next round is due. */
async function keepOnce(deps: KeeperDeps, times: Times): Promise<number> {
  const now = deps.clock.monotonic();
  if (now - times.lastRoundAt > stoodStillMs) times.expireFrom = now + leaseMs;
  times.lastRoundAt = now;
  if (now >= times.expireFrom) await expireLeases(deps);
  const nextAt = await promoteDue(deps);
  await replaceDrained(deps);
  for (const group of await deps.store.activeGroups()) await keepGroup(group, deps);
  if (now >= times.purgeAt) {
    times.purgeAt = now + purgeEveryMs;
    deps.announcer.written(await deps.store.expireDeliveries());
    await deps.store.purge(deps.clock.now() - deps.retentionMs);
    await deps.blobs.sweep();
  }
  return nextAt === undefined ? roundMs : Math.min(roundMs, Math.max(nextAt - deps.clock.now(), 1));
}

async function expireLeases({ store, announcer, activities, log }: KeeperDeps): Promise<void> {
  for (const { session, instance } of await store.expireHolders()) {
    log.warn({ session, instance }, "a runner was not heard of and lost its rows");
    activities.ended(session);
    announcer.sessionChanged(session);
  }
  for (const channel of await store.expireHosts()) {
    log.warn({ channel }, "an adapter host was not heard of and lost its deliveries");
    announcer.written({ channels: [channel], conversations: [] });
  }
}

/** @returns when the next delayed row becomes due, UTC ms. */
async function promoteDue({ store, announcer, wishes }: KeeperDeps): Promise<number | undefined> {
  const { sessions, nextAt } = await store.promoteDue();
  for (const session of sessions) {
    announcer.sessionChanged(session);
    wishes.poke(session);
  }
  return nextAt;
}

async function keepGroup(group: string, deps: KeeperDeps): Promise<void> {
  const { store, limits, wishes, clock, metrics, announcer } = deps;
  const { idleAfterMs, maxRunning } = limits.of(group);
  const activeBefore = clock.now() - idleAfterMs;
  for (const session of await store.idleCandidates(group, activeBefore, maxSleepsPerRound)) {
    if (!(await store.sleepIfIdle(session, activeBefore, sleepGraceMs))) continue;
    metrics.wake("asleep");
    deps.activities.ended(session);
    announcer.sessionChanged(session);
    wishes.poke(session);
  }
  for (const session of await store.admit(group, maxRunning)) {
    metrics.wake("woken");
    wishes.poke(session);
    announcer.sessionChanged(session);
  }
}
