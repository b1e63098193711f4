import type { Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { hasAskers, tellAskers } from "./askers.ts";
import { isPaused } from "./pauses.ts";
import type { SessionRecord } from "./records.ts";
import { findSession, getSession } from "./sessions.ts";
import { endInstance, markEnded, putToSleep, wake } from "./waking.ts";

const setEpoch = sql<[number, string]>(`
  UPDATE sessions SET epoch = ?, pod_uid = NULL, draining = 0, unsettled = max(unsettled, 1 - wanted) WHERE session = ?`);

const setReason = sql<[string, string]>("UPDATE sessions SET reason = ? WHERE session = ?");

const forgetRetry = sql<[string]>("UPDATE sessions SET retry_at = NULL WHERE agent_group = ? AND retry_at IS NOT NULL");

const setDrain = sql<[string, number]>(`
  UPDATE sessions SET draining = 2 WHERE session = ? AND epoch = ? AND wanted = 1 AND draining <> 2`);

const selectDrained = sql<[], SessionRecord>(`
  SELECT * FROM sessions s WHERE wanted = 1 AND draining = 2 AND NOT EXISTS (
    SELECT 1 FROM messages_in m WHERE m.session = s.session AND m.state = 'leased' AND m.trigger = 1)`);

export function raiseEpoch(tx: Transaction, key: string, epoch: number): void {
  const session = findSession(tx, key);
  if (!session || epoch <= session.epoch) return;
  endInstance(tx, session);
  if (session.pod_uid !== null) markEnded(tx, key, session.pod_uid);
  tx.run(setEpoch, epoch, key);
}

export function hindered(tx: Transaction, key: string, epoch: number, reason: string): Written {
  const session = findSession(tx, key);
  const isWaking = session?.epoch === epoch && session.wanted === 1 && session.instance === null;
  if (isWaking) {
    tx.run(setReason, reason, key);
    tellAskers(tx, key, { key: `hindered/${key}/${epoch}`, text: sentences.hindered(reason) });
  }
  return tx.written();
}

export const endBackOff = (tx: Transaction, group: string): void => {
  tx.run(forgetRetry, group);
};

export const requestDrain = (tx: Transaction, session: string, epoch: number): boolean =>
  tx.run(setDrain, session, epoch) > 0;

export function replaceDrained(tx: Transaction): { readonly sessions: readonly string[] } & Written {
  const sessions = tx.all(selectDrained).map(({ session }) => session);
  for (const session of sessions) {
    putToSleep(tx, session);
    if (hasAskers(tx, session)) wakeAgain(tx, getSession(tx, session));
  }
  return { sessions, ...tx.written() };
}

/** Its own place is free, so that only a pause can keep it from starting, or the start's back-off. */
function wakeAgain(tx: Transaction, session: SessionRecord): void {
  const effect = wake(tx, session);
  if (effect.kind !== "waiting" || !isPaused(tx, session)) return;
  tellAskers(tx, session.session, { key: `paused/${session.session}/${session.epoch}`, text: sentences.paused });
}
