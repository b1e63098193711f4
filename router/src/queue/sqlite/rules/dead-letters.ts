import type { ErrorCode } from "@copepod/core/errors";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { queueActor, recordAudit } from "./audit.ts";
import { noteForAgent } from "./inbox.ts";
import { tell } from "./outbox.ts";
import type { InRecord, OutRecord } from "./records.ts";
import { countOpenRows, findSession } from "./sessions.ts";

const endIn = sql<[number, string, string, number]>(
  "UPDATE messages_in SET state = 'dead', ended_at = ?, code = ?, reason = ?, retry_at = NULL WHERE position = ?",
);

const endOut = sql<[string, number, string, string, number]>(`
  UPDATE messages_out SET state = ?, ended_at = ?, code = ?, reason = ?, retry_at = NULL WHERE position = ?`);

interface Death {
  readonly code: ErrorCode;
  /** Kept with the row. */
  readonly reason: string;
  /** Sentence for the person. */
  readonly told: string;
}

/** Ends rows of one session as dead letters: with a code, told once per conversation and thread, audited. */
export function buryIn(tx: Transaction, rows: readonly InRecord[], { code, reason, told }: Death): void {
  const asked = new Map<string, InRecord>();
  for (const row of rows) {
    tx.run(endIn, tx.now, code, reason, row.position);
    if (row.trigger === 0) continue;
    countOpenRows(tx, row.session, -1);
    recordAudit(tx, { actor: queueActor, action: "dead", subject: row.id, detail: `${code}: ${reason}` });
    const place = JSON.stringify([row.conversation, row.thread]);
    if (!asked.has(place)) asked.set(place, row);
  }
  for (const row of asked.values()) {
    tell(tx, row, { key: `dead/${row.id}/${row.seq}`, text: told });
    tx.notifyConversation(row.conversation);
  }
}

/** Ends or parks a message out; the agent that wrote it hears of it with its next batch. */
export function parkOut(
  tx: Transaction,
  row: OutRecord,
  { state, code, reason }: { state: "dead" | "unknown"; code: ErrorCode; reason: string },
): void {
  tx.run(endOut, state, tx.now, code, reason, row.position);
  recordAudit(tx, { actor: queueActor, action: state, subject: row.id, detail: `${code}: ${reason}` });
  tx.notifyChannel(row.channel);
  if (row.session === "" || !findSession(tx, row.session)) return;
  const to = row.destination ?? "";
  const text = state === "dead" ? sentences.notDelivered(to, reason) : sentences.deliveryUnknown(to, reason);
  noteForAgent(tx, row.session, { conversation: row.conversation, text });
}
