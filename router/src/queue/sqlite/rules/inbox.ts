import { maxContextRowsPerSession } from "@copepod/core/limits";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { takeSeqs } from "./sessions.ts";

type InsertIn = [
  id: string,
  session: string,
  dedupeKey: string,
  seq: number | null,
  kind: string,
  trigger: number,
  state: string,
  due: number,
  conversation: string,
  thread: string | null,
  sender: string | null,
  senderName: string | null,
  body: string,
  trace: string | null,
  createdAt: number,
  endedAt: number | null,
  code: string | null,
  reason: string | null,
];

/** Every row of `messages_in` comes into being here. No change = a row with the dedupe key is there already. */
export const insertIn = sql<InsertIn>(`
  INSERT INTO messages_in (id, session, dedupe_key, seq, kind, trigger, state, due, conversation, thread, sender,
    sender_name, body, trace, created_at, ended_at, code, reason)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (session, dedupe_key) DO NOTHING`);

const countContext = sql<[string], { count: number }>(
  "SELECT count(*) AS count FROM messages_in WHERE session = ? AND trigger = 0 AND state = 'pending'",
);

const dropOldestContext = sql<[number, string, string, number]>(`
  UPDATE messages_in SET state = 'done', ended_at = ?, code = 'laneFull', reason = ?
  WHERE position IN (
    SELECT position FROM messages_in WHERE session = ? AND trigger = 0 AND state = 'pending' AND seq > 0
    ORDER BY seq LIMIT ?)`);

/** Keeps the waiting context of a session within its bound, after more of it began to wait. */
export function boundContext(tx: Transaction, session: string): void {
  const count = tx.get(countContext, session)?.count ?? 0;
  if (count > maxContextRowsPerSession) {
    const reason = sentences.contextFull(maxContextRowsPerSession);
    tx.run(dropOldestContext, tx.now, reason, session, count - maxContextRowsPerSession);
  }
}

/** Tells the agent something with its next batch, without starting a turn. */
export function noteForAgent(tx: Transaction, session: string, note: { conversation: string; text: string }): void {
  const id = tx.id();
  tx.run(
    insertIn,
    id,
    session,
    `note/${id}`,
    takeSeqs(tx, session, 1),
    "chat",
    0,
    "pending",
    tx.now,
    note.conversation,
    null,
    null,
    "Copepod",
    JSON.stringify({ text: note.text }),
    null,
    tx.now,
    null,
    null,
    null,
  );
  boundContext(tx, session);
}
