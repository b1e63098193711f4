import { createHash } from "node:crypto";
import { keyOf } from "@copepod/core/addresses";
import type { MessageFile } from "@copepod/core/files";
import { maxOutboundAgeMs } from "@copepod/core/limits";
import { sql, type Transaction } from "../transaction.ts";
import { referToFiles } from "./blobs.ts";
import type { ConversationRecord } from "./records.ts";

const selectConversation = sql<[string], ConversationRecord>("SELECT * FROM conversations WHERE id = ?");

type InsertOut = [
  id: string,
  session: string,
  key: string,
  seq: number | null,
  turn: number | null,
  inReplyTo: string | null,
  destination: string | null,
  channel: string,
  conversation: string,
  thread: string | null,
  state: string,
  body: string,
  createdAt: number,
  expiresAt: number,
  endedAt: number | null,
  code: string | null,
  reason: string | null,
];

const insertOut = sql<InsertOut>(`
  INSERT INTO messages_out (id, session, idempotency_key, seq, kind, turn, in_reply_to, destination, channel,
    conversation, thread, state, body, created_at, expires_at, ended_at, code, reason)
  VALUES (?, ?, ?, ?, 'chat', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (session, idempotency_key) DO NOTHING`);

export interface OutRow {
  readonly session: string;
  readonly key: string;
  readonly seq: number | null;
  readonly turn: number | null;
  readonly inReplyTo: string | null;
  /** Name by which the agent addressed it. */
  readonly destination: string | null;
  readonly conversation: string;
  readonly thread: string | null;
  readonly text: string;
  readonly files?: readonly MessageFile[] | undefined;
  /** Written as a dead letter at once. */
  readonly dead?: { readonly code: string; readonly reason: string };
}

export const findConversation = (tx: Transaction, id: string): ConversationRecord | undefined =>
  tx.get(selectConversation, id);

/** Writes a message out; where the router serves the channel itself, its commit is the delivery. @returns false = known. */
export function writeOut(tx: Transaction, row: OutRow): boolean {
  const conversation = findConversation(tx, row.conversation);
  const served = conversation?.served_by_router === 1;
  const state = row.dead ? "dead" : served ? "sent" : "pending";
  const channel = conversation ? keyOf(conversation.namespace, conversation.channel) : "";
  const { code, reason } = row.dead ?? { code: null, reason: null };
  const { text, files } = row;
  const id = tx.id();
  const written = tx.run(
    insertOut,
    id,
    row.session,
    row.key,
    row.seq,
    row.turn,
    row.inReplyTo,
    row.destination,
    channel,
    row.conversation,
    row.thread,
    state,
    JSON.stringify({ text, files }),
    tx.now,
    tx.now + maxOutboundAgeMs,
    state === "pending" ? null : tx.now,
    code,
    reason,
  );
  if (written > 0) referToFiles(tx, { files }, { session: row.session, id });
  if (state === "pending") tx.notifyChannel(channel);
  if (state === "sent") tx.notifyConversation(row.conversation);
  return written > 0;
}

/** A sentence of Copepod itself. The key says for what; an equal one is told once. */
export function tell(
  tx: Transaction,
  { conversation, thread }: { readonly conversation: string; readonly thread: string | null },
  { key, text }: { readonly key: string; readonly text: string },
): void {
  if (!findConversation(tx, conversation)) return;
  const nothing = { seq: null, turn: null, inReplyTo: null, destination: null };
  writeOut(tx, { ...nothing, session: "", key: `${conversation}/${key}`, conversation, thread, text });
}

/** Hash of what makes two messages the same. */
export const hashOf = (...parts: readonly (string | number)[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
