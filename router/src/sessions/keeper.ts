import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Clock, QueueStore } from "../queue/queue-store.ts";
import type { Activities } from "./activities.ts";
import type { GroupLimits } from "./group-limits.ts";
import type { WishWriter } from "./wish-writer.ts";

/** How often idle sessions, ended leases and waiting sessions are looked for. */
const roundMs = 1_000;
/** A session stays awake when a delayed row becomes due within this time. */
export const sleepGraceMs = 120_000;
/** Sessions put to sleep per group and round. */
const maxSleepsPerRound = 50;
const purgeEveryMs = 60_000;

export interface KeeperDeps {
  readonly store: QueueStore;
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
  let purgeAt = deps.clock.monotonic();
  while (!signal.aborted) {
    try {
      const nextAt = await keepOnce(deps);
      if (deps.clock.monotonic() >= purgeAt) {
        purgeAt = deps.clock.monotonic() + purgeEveryMs;
        await deps.store.purge(deps.clock.now() - deps.retentionMs);
      }
      const untilNext = nextAt === undefined ? roundMs : Math.max(nextAt - deps.clock.now(), 1);
      await pause(Math.min(roundMs, untilNext), undefined, { signal });
    } catch (err) {
      if (signal.aborted) return;
      deps.log.warn({ err }, "a round of keeping failed and is tried again");
      await pause(roundMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** @returns when the next delayed row becomes due, UTC ms. */
export async function keepOnce(deps: KeeperDeps): Promise<number | undefined> {
  const { store, announcer, wishes, log } = deps;
  for (const { session, instance } of await store.expireHolders()) {
    log.warn({ session, instance }, "a runner was not heard of and lost its rows");
    deps.activities.ended(session);
    announcer.sessionChanged(session);
  }
  for (const channel of await store.expireHosts()) {
    log.warn({ channel }, "an adapter host was not heard of and lost its deliveries");
    announcer.written({ channels: [channel], conversations: [] });
  }
  const { sessions, nextAt } = await store.promoteDue();
  for (const session of sessions) {
    announcer.sessionChanged(session);
    wishes.poke(session);
  }
  for (const group of await store.activeGroups()) await keepGroup(group, deps);
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
  }
}
