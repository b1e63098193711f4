import type { SessionRow } from "@copepod/core/admin-api";
import { asSentence } from "@copepod/core/sentence";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import type { Shown } from "./session-seen.ts";

/** A state is shown once it has lasted so long. */
export const settleMs = 2_000;
/** Rows show as waiting once they are so old, unless there is a reason: most wakes and short turns are over before. */
export const waitingMs = 10_000;
/** What is not urgent is written so often at most, per session; and a time that is off by less is not worth a write. */
export const quietMs = 60_000;
/** A session that sleeps is let sleep for the sake of its time alone, as long as that is off by less. */
const asleepMs = 10 * quietMs;

export interface Plan {
  /** Equal as long as the state lasts. */
  readonly state: string;
  /** What is to be written now, as a merge patch. */
  readonly patch?: object | undefined;
  /** When to look again; undefined = not before something changes. */
  readonly againInMs?: number | undefined;
}

interface Situation {
  readonly row: SessionRow;
  /** The state at the look before, `settleMs` ago or longer. */
  readonly before: string | undefined;
  /** At the API server. */
  readonly shown: Shown;
  /** Since the last write of this session; undefined = none that the router knows of. */
  readonly sinceWriteMs: number | undefined;
  /** UTC ms. */
  readonly now: number;
}

/** When to write what people see of a session. */
export function planStatus({ row, before, shown, now, sinceWriteMs = quietMs }: Situation): Plan {
  const againInMs = isBusy(shown) ? undefined : youngMs(row, now);
  const wanted = wantedOf(againInMs === undefined ? row : { ...row, pending: 0, oldestPendingAt: undefined }, shown);
  const state = JSON.stringify([isBusy(wanted), wanted.oldestPendingAt, wanted.reason]);
  const patch = mergePatchOf(shown, wanted);
  if (!patch) return { state, againInMs };
  if (state !== before) return { state, againInMs: settleMs };
  const isUrgent = isBusy(wanted) !== isBusy(shown) || wanted.reason !== shown.reason;
  if (isUrgent || sinceWriteMs >= quietMs) return { state, patch, againInMs };
  return { state, againInMs: againInMs ?? quietMs - sinceWriteMs };
}

const isBusy = ({ pending = 0 }: Shown): boolean => pending > 0;

/** For how long still the rows do not count as waiting; undefined = they do, or there are none. */
function youngMs({ oldestPendingAt, reason }: SessionRow, now: number): number | undefined {
  if (oldestPendingAt === undefined || reason !== undefined) return undefined;
  const leftMs = oldestPendingAt + waitingMs - now;
  return leftMs > 0 ? Math.min(leftMs, waitingMs) : undefined;
}

function wantedOf({ phase, pending, oldestPendingAt, lastActiveAt, reason }: SessionRow, shown: Shown): Shown {
  const offMs = Math.abs(lastActiveAt - Date.parse(shown.lastActiveAt ?? ""));
  const isNear = offMs < (phase === "Asleep" || phase === "Failed" ? asleepMs : quietMs);
  return {
    pending,
    oldestPendingAt: oldestPendingAt === undefined ? undefined : timeOf(oldestPendingAt),
    lastActiveAt: isNear ? shown.lastActiveAt : timeOf(lastActiveAt),
    reason: reason === undefined ? undefined : asSentence(reason),
  };
}

/** Whole seconds are enough for people. */
const timeOf = (utcMs: number): string => `${new Date(utcMs).toISOString().slice(0, 19)}Z`;
