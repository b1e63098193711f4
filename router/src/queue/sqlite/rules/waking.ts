import type { Wake } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";
import { boundContext } from "./inbox.ts";
import { isPaused, pausedSubject } from "./pauses.ts";
import type { SessionRecord } from "./records.ts";
import { findSession } from "./sessions.ts";

const countWanted = sql<[string], { count: number }>(
  "SELECT count(*) AS count FROM sessions WHERE agent_group = ? AND wanted = 1",
);

const lastInLine = sql<[string], { last: number | null }>(
  "SELECT max(waiting) AS last FROM sessions WHERE agent_group = ? AND waiting IS NOT NULL",
);

const placeInLine = sql<[string, number], { place: number }>(
  "SELECT count(*) AS place FROM sessions WHERE agent_group = ? AND waiting IS NOT NULL AND waiting <= ?",
);

const setWaiting = sql<[number, string]>("UPDATE sessions SET waiting = ? WHERE session = ?");

const raiseEpoch = sql<[number, string]>(`
  UPDATE sessions SET wanted = 1, epoch = epoch + 1, pod_uid = NULL, instance = NULL, draining = 0, waiting = NULL,
    unsettled = 0, last_active_at = ?, reason = iif(failures = 0, NULL, reason)
  WHERE session = ?`);

const waitingInLine = sql<[string, number, number], SessionRecord>(`
  SELECT * FROM sessions WHERE agent_group = ? AND waiting IS NOT NULL AND (retry_at IS NULL OR retry_at <= ?)
    AND NOT EXISTS (${pausedSubject})
  ORDER BY waiting LIMIT ?`);

const longestIdle = sql<[string], { session: string }>(`
  SELECT session FROM sessions WHERE agent_group = ? AND wanted = 1 AND open_rows = 0
  ORDER BY last_active_at, session LIMIT 1`);

const unwant = sql<[string]>("UPDATE sessions SET wanted = 0, unsettled = 1 WHERE session = ?");

const releaseRows = sql<[string]>(
  "UPDATE messages_in SET state = 'pending', holder = NULL WHERE session = ? AND state = 'leased'",
);

const insertEnded = sql<[string, string, number]>(
  "INSERT INTO ended_holders (owner, id, ended_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
);

const forgetInstance = sql<[string]>("UPDATE sessions SET instance = NULL WHERE session = ?");

/**
 * Makes the session wanted, or puts it in line. The one place where an epoch is raised. A session that has nothing to do
 * gives its place to one that has.
 */
export function wake(tx: Transaction, session: SessionRecord): Wake {
  if (session.wanted === 1) return { kind: "awake" };
  const mayStart = !backsOff(tx, session) && !isPaused(tx, session);
  if (mayStart && countRunning(tx, session.agent_group) < session.max_running) return start(tx, session);
  const evicted = mayStart ? evictIdle(tx, session.agent_group) : undefined;
  if (evicted !== undefined) return { ...start(tx, session), evicted };
  const waiting = waitInLine(tx, session);
  const place = tx.get(placeInLine, session.agent_group, waiting)?.place ?? 1;
  return { kind: "waiting", place, first: session.waiting === null };
}

/** Did the session fail to start, and is it too early to try again? */
export const backsOff = (tx: Transaction, session: SessionRecord): boolean =>
  session.retry_at !== null && session.retry_at > tx.now;

/** @returns the session's number in the line of its group. */
export function waitInLine(tx: Transaction, session: SessionRecord): number {
  if (session.waiting !== null) return session.waiting;
  const waiting = (tx.get(lastInLine, session.agent_group)?.last ?? 0) + 1;
  tx.run(setWaiting, waiting, session.session);
  return waiting;
}

export function admit(tx: Transaction, group: string, maxRunning: number): readonly string[] {
  let free = Math.max(0, maxRunning - countRunning(tx, group));
  const changed: string[] = [];
  for (const session of tx.all(waitingInLine, group, tx.now, maxRunning)) {
    const evicted = free > 0 ? undefined : evictIdle(tx, group);
    if (free === 0 && evicted === undefined) break;
    if (evicted === undefined) free -= 1;
    else changed.push(evicted);
    start(tx, session);
    changed.push(session.session);
  }
  return changed;
}

/** Puts the session to sleep that has had nothing to do for the longest time. */
function evictIdle(tx: Transaction, group: string): string | undefined {
  const idle = tx.get(longestIdle, group)?.session;
  if (idle !== undefined) putToSleep(tx, idle);
  return idle;
}

/** The session's pod is to go. Its runner may still speak, until the next wake raises the epoch. */
export function putToSleep(tx: Transaction, session: string): void {
  giveBackRows(tx, session);
  tx.run(unwant, session);
}

/** Ends the present instance, if there is one: its rows are pending again, and it is refused for good. */
export function endInstance(tx: Transaction, session: SessionRecord): void {
  giveBackRows(tx, session.session);
  if (session.instance === null) return;
  markEnded(tx, session.session, session.instance);
  tx.run(forgetInstance, session.session);
}

function giveBackRows(tx: Transaction, session: string): void {
  if (tx.run(releaseRows, session) > 0) boundContext(tx, session);
}

export function markEnded(tx: Transaction, owner: string, id: string): void {
  tx.run(insertEnded, owner, id, tx.now);
}

function start(tx: Transaction, session: SessionRecord): Wake & { readonly kind: "woken" } {
  endInstance(tx, session);
  if (session.pod_uid !== null) markEnded(tx, session.session, session.pod_uid);
  tx.run(raiseEpoch, tx.now, session.session);
  return { kind: "woken", epoch: findSession(tx, session.session)?.epoch ?? session.epoch + 1 };
}

const countRunning = (tx: Transaction, group: string): number => tx.get(countWanted, group)?.count ?? 0;
