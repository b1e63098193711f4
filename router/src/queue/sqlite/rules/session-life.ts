import { backoffMs } from "@copepod/core/backoff";
import type { SessionWish, Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { hasAskers, tellAskers } from "./askers.ts";
import { queueActor, recordAudit } from "./audit.ts";
import type { SessionRecord } from "./records.ts";
import { findSession, getSession } from "./sessions.ts";
import { endInstance, putToSleep, waitInLine, wake } from "./waking.ts";

/** Between failed starts of a session. */
const failedStartBackoff = { firstMs: 60_000, maxMs: 15 * 60_000 };
/** Delayed rows that get their seq in one call. */
const maxRowsPerPromotion = 500;

const setFailed = sql<[number, number, string, string]>(
  "UPDATE sessions SET failures = ?, retry_at = ?, reason = ? WHERE session = ?",
);

const selectBusy = sql<[string, string, number], { found: number }>(`
  SELECT 1 AS found FROM messages_in WHERE session = ? AND state = 'leased' AND trigger = 1
  UNION ALL
  SELECT 1 FROM messages_in WHERE session = ? AND state = 'pending' AND trigger = 1 AND kind <> 'control'
    AND (seq IS NOT NULL OR due <= ?)
  LIMIT 1`);

const selectDelayed = sql<[number, number], { position: number; session: string; trigger: number }>(`
  SELECT position, session, trigger FROM messages_in
  WHERE seq IS NULL AND ended_at IS NULL AND kind <> 'control' AND due <= ? ORDER BY due, position LIMIT ?`);

const nextDelayed = sql<[], { due: number | null }>(`
  SELECT min(due) AS due FROM messages_in WHERE seq IS NULL AND ended_at IS NULL AND kind <> 'control'`);

const setRowSeq = sql<[number, number]>("UPDATE messages_in SET seq = ? WHERE position = ?");

const setLastSeq = sql<[number, number, string]>(
  "UPDATE sessions SET last_seq = ?, last_active_at = ? WHERE session = ?",
);

const setSettled = sql<[string, number]>(
  "UPDATE sessions SET unsettled = 0 WHERE session = ? AND wanted = 0 AND epoch = ?",
);

const wishColumns = "session, agent_group, key_kind, conversation, thread, wanted, epoch";
type WishRecord = Pick<
  SessionRecord,
  "session" | "agent_group" | "key_kind" | "conversation" | "thread" | "wanted" | "epoch"
>;

const selectWishes = sql<[], WishRecord>(`SELECT ${wishColumns} FROM sessions WHERE wanted = 1 OR unsettled = 1`);
const selectWish = sql<[string], WishRecord>(`SELECT ${wishColumns} FROM sessions WHERE session = ?`);

const selectIdle = sql<[string, number, number], { session: string }>(`
  SELECT session FROM sessions WHERE agent_group = ? AND wanted = 1 AND last_active_at < ?
  ORDER BY open_rows > 0, last_active_at, session LIMIT ?`);

const selectActiveGroups = sql<[], { agent_group: string }>(`
  SELECT agent_group FROM sessions WHERE wanted = 1
  UNION SELECT agent_group FROM sessions WHERE waiting IS NOT NULL`);

export const wishes = (tx: Transaction): readonly SessionWish[] => tx.all(selectWishes).map(toWish);

export function wish(tx: Transaction, session: string): SessionWish | undefined {
  const row = tx.get(selectWish, session);
  return row && toWish(row);
}

export function settle(tx: Transaction, { session, epoch, wanted }: SessionWish): void {
  if (!wanted) tx.run(setSettled, session, epoch);
}

export const idleCandidates = (
  tx: Transaction,
  group: string,
  activeBefore: number,
  limit: number,
): readonly string[] => tx.all(selectIdle, group, activeBefore, limit).map(({ session }) => session);

export const activeGroups = (tx: Transaction): readonly string[] =>
  tx.all(selectActiveGroups).map(({ agent_group }) => agent_group);

export function startFailed(
  tx: Transaction,
  key: string,
  epoch: number,
  reason: string,
): { readonly retryAt: number } & Written {
  const session = getSession(tx, key);
  // A report of an older start, or a repeated one, changes nothing.
  if (session.epoch !== epoch || session.wanted === 0) {
    return { retryAt: session.retry_at ?? tx.now, ...tx.written() };
  }
  const failures = session.failures + 1;
  const retryAt = tx.now + backoffMs(failedStartBackoff, failures, tx.random());
  endInstance(tx, session);
  putToSleep(tx, key);
  tx.run(setFailed, failures, retryAt, reason, key);
  recordAudit(tx, { actor: queueActor, action: "startFailed", subject: key, detail: reason });
  if (hasAskers(tx, key)) waitInLine(tx, session);
  const told = { key: `startFailed/${key}/${epoch}`, text: sentences.startFailed(reason) };
  if (session.failures === 0 || session.reason !== reason) tellAskers(tx, key, told);
  return { retryAt, ...tx.written() };
}

export function sleepIfIdle(tx: Transaction, key: string, activeBefore: number, graceMs: number): boolean {
  const session = findSession(tx, key);
  if (!session || session.wanted === 0 || session.last_active_at >= activeBefore) return false;
  if (session.open_rows > 0 && tx.get(selectBusy, key, key, tx.now + graceMs)) return false;
  // What is still leased is context that the runner has not used: it is given back, and waits for the next wake.
  putToSleep(tx, key);
  return true;
}

export function promoteDue(tx: Transaction): {
  readonly sessions: readonly string[];
  readonly nextAt: number | undefined;
} {
  const sessions = new Set<string>();
  for (const row of tx.all(selectDelayed, tx.now, maxRowsPerPromotion)) {
    const session = getSession(tx, row.session);
    tx.run(setRowSeq, session.last_seq + 1, row.position);
    tx.run(setLastSeq, session.last_seq + 1, tx.now, row.session);
    const effect = row.trigger === 1 ? wake(tx, session) : undefined;
    sessions.add(row.session);
    if (effect?.kind === "woken" && effect.evicted !== undefined) sessions.add(effect.evicted);
  }
  return { sessions: [...sessions], nextAt: tx.get(nextDelayed)?.due ?? undefined };
}

const toWish = ({ session, agent_group, key_kind, conversation, thread, wanted, epoch }: WishRecord): SessionWish => ({
  session,
  group: agent_group,
  key: { kind: key_kind, conversation: conversation ?? undefined, thread: thread ?? undefined },
  wanted: wanted === 1,
  epoch,
});
