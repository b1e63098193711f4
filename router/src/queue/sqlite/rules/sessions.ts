import { CopepodError } from "@copepod/core/errors";
import type { Holder, SessionInput } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import type { SessionRecord } from "./records.ts";

export const selectSession = sql<[string], SessionRecord>("SELECT * FROM sessions WHERE session = ?");

const insertSession = sql<[string, string, string, string | null, string | null, number, number]>(`
  INSERT INTO sessions (session, agent_group, key_kind, conversation, thread, max_running, last_active_at)
  VALUES (?, ?, ?, ?, ?, ?, ?)`);

const markActive = sql<[number, string]>("UPDATE sessions SET last_active_at = ? WHERE session = ?");

const setSeq = sql<[number, string]>("UPDATE sessions SET last_seq = ? WHERE session = ?");

const changeOpenRows = sql<[number, number, string]>(
  "UPDATE sessions SET open_rows = open_rows + ?, last_active_at = ? WHERE session = ?",
);

const isEndedSql = sql<[string, string], { found: number }>(
  "SELECT 1 AS found FROM ended_holders WHERE owner = ? AND id = ?",
);

export const findSession = (tx: Transaction, session: string): SessionRecord | undefined =>
  tx.get(selectSession, session);

export function createSession(tx: Transaction, input: SessionInput): SessionRecord {
  tx.run(
    insertSession,
    input.session,
    input.group,
    input.keyKind,
    input.conversation ?? null,
    input.thread ?? null,
    input.maxRunning,
    tx.now,
  );
  return getSession(tx, input.session);
}

/** @throws CopepodError notFound */
export function getSession(tx: Transaction, key: string): SessionRecord {
  const session = findSession(tx, key);
  if (!session) throw new CopepodError("notFound", sentences.sessionUnknown(key));
  return session;
}

export function touchSession(tx: Transaction, session: string): void {
  tx.run(markActive, tx.now, session);
}

/** Takes seqs from the session's counter. @returns the first of them. */
export function takeSeqs(tx: Transaction, session: string, count: number): number {
  const { last_seq } = getSession(tx, session);
  tx.run(setSeq, last_seq + count, session);
  return last_seq + 1;
}

/** Counts rows with trigger = 1 that were opened (or, below 0, ended). */
export function countOpenRows(tx: Transaction, session: string, change: number): void {
  tx.run(changeOpenRows, change, tx.now, session);
}

export const isDraining = (session: SessionRecord): boolean => session.draining > 0 || session.wanted === 0;

/** The session, if the holder is the present one. Its lease starts anew. @throws CopepodError superseded, podUnknown */
export function requireHolder(tx: Transaction, holder: Holder): SessionRecord {
  const session = requirePod(tx, holder);
  if (session.instance !== holder.instance) throw superseded(holder.session);
  tx.holders.restart(holder.session, holder.instance, tx.monotonic);
  return session;
}

/** The session, if the pod is its present one. @throws CopepodError superseded, podUnknown */
export function requirePod(tx: Transaction, pod: Omit<Holder, "instance">): SessionRecord {
  const session = findSession(tx, pod.session);
  if (!session || pod.epoch < session.epoch) throw superseded(pod.session);
  if (pod.epoch === session.epoch && session.pod_uid === pod.podUid) return session;
  // A pod whose start the router has not heard of yet is told to wait; one that was replaced is told to end.
  if (isEnded(tx, pod.session, pod.podUid)) throw superseded(pod.session);
  throw new CopepodError("podUnknown", sentences.podUnknown(pod.session));
}

/** Was the instance, pod or host ended for good? */
export const isEnded = (tx: Transaction, owner: string, id: string): boolean =>
  tx.get(isEndedSql, owner, id) !== undefined;

export const superseded = (session: string): CopepodError =>
  new CopepodError("superseded", sentences.superseded(session));
