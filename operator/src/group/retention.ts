import { durationMs } from "@copepod/crds/duration";
import type { Session } from "@copepod/crds/session";
import { Controller, type ReconcileResult } from "@copepod/kube/controller/controller";
import { ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, sourceOf } from "@copepod/kube/controller/sources";
import type { LeaderParts } from "../parts.ts";
import { sessions } from "../resources.ts";
import type { Seen } from "../seen.ts";

/** Sessions that are removed in one round of a group; the rest follows in the next. */
const removedPerRound = 20;
/** Between two rounds, at least and at most. */
const shortestRoundMs = 1_000;
const longestRoundMs = 60 * 60_000;

/**
 * Removes the Session objects of conversations that sleep for longer than the group's `session.retainFor`. Their rows and
 * folders stay: the next message makes the Session anew.
 */
export function makeRetentionController(parts: LeaderParts): Controller {
  const { caches, clock, random, log, observerOf, fence } = parts;
  const name = "retention";

  const reconcile = async (key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> => {
    const group = caches.groups.get(key);
    const text = group?.resource?.spec.session.retainFor;
    if (text === undefined) return undefined;
    const plan = planRetention(caches.sessions.byIndex("group", key), durationMs(text), clock.now());
    for (const session of plan.due) {
      await fence.delete(sessions, session, { signal });
      log.info({ session: session.metadata.name }, "a Session that slept for long was removed");
    }
    return { requeueAfterMs: plan.nextMs };
  };

  const sources = [sourceOf(caches.groups, { keysOf: ownKey, when: isMoreThanStatus })];
  return new Controller({
    ...{ name, clock, random, log, reconcile, sources, observer: observerOf(name) },
  });
}

/** What of a group's sessions is due now, and when to look again. Pure. */
export function planRetention(
  all: readonly Seen<Session>[],
  retainMs: number,
  now: number,
): { readonly due: readonly Seen<Session>[]; readonly nextMs: number } {
  const dueAt = all.flatMap((session) => {
    const since = asleepSince(session);
    return since === undefined ? [] : [{ session, at: since + retainMs }];
  });
  const due = dueAt.filter(({ at }) => at <= now).map(({ session }) => session);
  const later = dueAt.filter(({ at }) => at > now).map(({ at }) => at - now);
  const next = due.length > removedPerRound ? shortestRoundMs : Math.min(...later, retainMs, longestRoundMs);
  return { due: due.slice(0, removedPerRound), nextMs: Math.max(next, shortestRoundMs) };
}

/**
 * UTC ms of the last sign of life of a session that has no pod and nothing to do; undefined for another, and for one that is
 * suspended, which no row remembers.
 */
function asleepSince({ resource, status, metadata }: Seen<Session>): number | undefined {
  const { phase = "Asleep", pending = 0, lastActiveAt = metadata.creationTimestamp } = status;
  const hasPod = phase !== "Asleep" && phase !== "Failed";
  const sleeps = !hasPod && pending === 0 && resource?.spec.wake.wanted === false && !resource.spec.suspended;
  const since = Date.parse(String(lastActiveAt));
  return sleeps && metadata.deletionTimestamp === undefined && !Number.isNaN(since) ? since : undefined;
}
