import { splitKey } from "@copepod/core/addresses";
import type { MessageRow } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import { maxOutboundAgeMs } from "@copepod/core/limits";
import type { Wake, Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { inRow, outRow } from "./lists.ts";
import { findConversation } from "./outbox.ts";
import type { InRecord, OutRecord } from "./records.ts";
import { countOpenRows, getSession, takeSeqs } from "./sessions.ts";
import { wake } from "./waking.ts";

/** Rows that one call removes: keeps a transaction short. */
const maxRowsPerPurge = 500;
/** Pages that are given back to the file system after rows were removed. */
const maxPagesPerPurge = 1_000;

const selectIn = sql<[string], InRecord>("SELECT * FROM messages_in WHERE id = ?");
const selectOut = sql<[string], OutRecord>("SELECT * FROM messages_out WHERE id = ?");

const reopenIn = sql<[number, number, number]>(`
  UPDATE messages_in SET state = 'pending', seq = ?, due = ?, attempt = 0, retry_at = NULL, holder = NULL,
    ended_at = NULL, code = NULL, reason = NULL
  WHERE position = ?`);

// The counter behind AUTOINCREMENT, so that a position is never given twice.
const raisePosition = sql<[]>("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'messages_out'");

const reopenOut = sql<[number, number]>(`
  UPDATE messages_out SET position = (SELECT seq FROM sqlite_sequence WHERE name = 'messages_out'),
    state = 'pending', attempt = 0, uncertain = (state = 'unknown'), retry_at = NULL, holder = NULL, expires_at = ?, ended_at = NULL,
    code = NULL, reason = NULL
  WHERE position = ?`);

const purgeStatements: readonly ReturnType<typeof sql<[number, number]>>[] = [
  sql<[number, number]>(`DELETE FROM messages_in WHERE position IN (
    SELECT position FROM messages_in WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?)`),
  sql<[number, number]>(`DELETE FROM messages_out WHERE position IN (
    SELECT position FROM messages_out WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?)`),
  sql<[number, number]>(`DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE created_at < ? ORDER BY created_at LIMIT ?)`),
  sql<[number, number]>(`DELETE FROM usage WHERE (session, id) IN (
    SELECT session, id FROM usage WHERE created_at < ? ORDER BY created_at LIMIT ?)`),
  sql<[number, number]>(`DELETE FROM ended_holders WHERE (owner, id) IN (
    SELECT owner, id FROM ended_holders WHERE ended_at < ? ORDER BY ended_at LIMIT ?)`),
];

const vacuum = `PRAGMA incremental_vacuum(${maxPagesPerPurge})`;

export function retry(
  tx: Transaction,
  id: string,
  namespace?: string,
): { readonly item: MessageRow; readonly wake: Wake } & Written {
  const incoming = tx.get(selectIn, id);
  if (incoming && isOf(tx, incoming, namespace)) return retryIn(tx, incoming);
  const outgoing = tx.get(selectOut, id);
  if (outgoing && isOf(tx, outgoing, namespace)) return retryOut(tx, outgoing);
  throw new CopepodError("notFound", sentences.rowUnknown(id));
}

function isOf(
  tx: Transaction,
  { session, conversation }: InRecord | OutRecord,
  namespace: string | undefined,
): boolean {
  if (namespace === undefined) return true;
  if (session !== "") return splitKey(session).namespace === namespace;
  return findConversation(tx, conversation)?.namespace === namespace;
}

export function purge(tx: Transaction, endedBefore: number): number {
  let removed = 0;
  for (const statement of purgeStatements) removed += tx.run(statement, endedBefore, maxRowsPerPurge - removed);
  if (removed > 0) tx.exec(vacuum);
  return removed;
}

function retryIn(tx: Transaction, row: InRecord): { item: MessageRow; wake: Wake } & Written {
  if (row.state !== "dead") throw new CopepodError("conflict", sentences.notDead(row.id, row.state));
  if (row.session === "") throw new CopepodError("conflict", sentences.neverAccepted(row.id));
  tx.run(reopenIn, takeSeqs(tx, row.session, 1), Math.min(row.due, tx.now), row.position);
  if (row.trigger === 1) countOpenRows(tx, row.session, 1);
  tx.notifyConversation(row.conversation);
  const effect: Wake = row.trigger === 1 ? wake(tx, getSession(tx, row.session)) : { kind: "none" };
  return { item: inRow(tx.get(selectIn, row.id) ?? row), wake: effect, ...tx.written() };
}

function retryOut(tx: Transaction, row: OutRecord): { item: MessageRow; wake: Wake } & Written {
  if (row.state !== "dead" && row.state !== "unknown") {
    throw new CopepodError("conflict", sentences.notDead(row.id, row.state));
  }
  if (row.conversation === "") throw new CopepodError("conflict", sentences.noConversation(row.id));
  tx.run(raisePosition);
  tx.run(reopenOut, tx.now + maxOutboundAgeMs, row.position);
  tx.notifyChannel(row.channel);
  return { item: outRow(tx.get(selectOut, row.id) ?? row), wake: { kind: "none" }, ...tx.written() };
}
