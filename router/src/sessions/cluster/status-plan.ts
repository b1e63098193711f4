import type { SessionRow } from "@copepod/core/admin-api";
import type { Shown } from "./session-seen.ts";

/** A state is shown once it has lasted so long: most wakes and turns are over before. */
export const settleMs = 2_000;
/** What is not urgent is written so often at most, per session. */
export const quietMs = 60_000;
/** Longest `reason` that the kind takes, in characters. */
const maxReasonLength = 1_024;

export interface Look {
  /** What ought to be shown. */
  readonly wanted: Shown;
  /** Equal as long as the state lasts. */
  readonly state: string;
}

export function lookAt({ pending, oldestPendingAt, lastActiveAt, reason }: SessionRow): Look {
  const wanted: Shown = {
    pending,
    oldestPendingAt: oldestPendingAt === undefined ? undefined : timeOf(oldestPendingAt),
    lastActiveAt: timeOf(lastActiveAt),
    reason: reason?.replaceAll(/\p{Cc}+/gu, " ").slice(0, maxReasonLength),
  };
  const since = pending > 0 ? wanted.oldestPendingAt : wanted.lastActiveAt;
  return { wanted, state: JSON.stringify([pending > 0, since, wanted.reason]) };
}

export type Plan =
  | { readonly kind: "write" }
  | { readonly kind: "done" }
  | { readonly kind: "lookAgain"; readonly inMs: number };

interface Situation {
  readonly look: Look;
  /** The look before, `settleMs` ago or longer. */
  readonly before: Look | undefined;
  /** At the API server. */
  readonly shown: Shown;
  /** Since the last write of this session; undefined = none that the router knows of. */
  readonly sinceWriteMs: number | undefined;
}

/** When to write what people see of a session. */
export function planStatus({ look, before, shown, sinceWriteMs = quietMs }: Situation): Plan {
  if (isSame(look.wanted, shown)) return { kind: "done" };
  if (look.state !== before?.state) return { kind: "lookAgain", inMs: settleMs };
  if (isUrgent(look.wanted, shown) || sinceWriteMs >= quietMs) return { kind: "write" };
  return { kind: "lookAgain", inMs: quietMs - sinceWriteMs };
}

const isSame = (a: Shown, b: Shown): boolean =>
  (a.pending ?? 0) === (b.pending ?? 0) &&
  a.oldestPendingAt === b.oldestPendingAt &&
  a.lastActiveAt === b.lastActiveAt &&
  a.reason === b.reason;

const isUrgent = (a: Shown, b: Shown): boolean =>
  (a.pending ?? 0) > 0 !== (b.pending ?? 0) > 0 || a.reason !== b.reason;

/** Whole seconds are enough for people. */
const timeOf = (utcMs: number): string => `${new Date(utcMs).toISOString().slice(0, 19)}Z`;
