import { destinationName, keyOf } from "@copepod/core/addresses";
import { maxOpenRowsPerSession } from "@copepod/core/limits";
import type { AcceptEvent, AcceptOutcome, AcceptRow, RefusedRow, Wake, Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { referToFiles } from "./blobs.ts";
import { boundContext, insertIn } from "./inbox.ts";
import { tell } from "./outbox.ts";
import { isPaused } from "./pauses.ts";
import type { SessionRecord } from "./records.ts";
import { createSession, findSession } from "./sessions.ts";
import { backsOff, wake } from "./waking.ts";

const selectDuplicate = sql<[string, string], { id: string }>(
  "SELECT id FROM messages_in WHERE session = ? AND dedupe_key = ?",
);

/** What a row changes in its session. */
export const countAccepted = sql<[number, number, number, number, number, string]>(`
  UPDATE sessions SET last_seq = ?, open_rows = open_rows + ?, max_running = ?, full_told = min(full_told, ?), last_active_at = ?
  WHERE session = ?`);

const markFullTold = sql<[string]>("UPDATE sessions SET full_told = 1 WHERE session = ?");

const selectDestination = sql<[string, string], { name: string }>(
  "SELECT name FROM destinations WHERE session = ? AND conversation = ?",
);

const selectNames = sql<[string], { name: string }>("SELECT name FROM destinations WHERE session = ?");

const insertDestination = sql<[string, string, string]>(
  "INSERT INTO destinations (session, name, conversation) VALUES (?, ?, ?)",
);

const setCursor = sql<[string, string]>(`
  INSERT INTO channels (channel, cursor) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET cursor = excluded.cursor`);

export const isKnown = (tx: Transaction, session: string, dedupeKey: string): boolean =>
  tx.get(selectDuplicate, session, dedupeKey) !== undefined;

export function accept(tx: Transaction, event: AcceptEvent): { readonly outcomes: readonly AcceptOutcome[] } & Written {
  const outcomes = acceptEvent(tx, event);
  return { outcomes, ...tx.written() };
}

export function acceptBatch(
  tx: Transaction,
  events: readonly AcceptEvent[],
  cursor: { readonly channel: string; readonly value: string } | undefined,
): { readonly outcomes: readonly (readonly AcceptOutcome[])[] } & Written {
  const outcomes = events.map((event) => acceptEvent(tx, event));
  if (cursor) tx.run(setCursor, cursor.channel, cursor.value);
  return { outcomes, ...tx.written() };
}

function acceptEvent(tx: Transaction, event: AcceptEvent): AcceptOutcome[] {
  for (const refused of event.refused) refuse(tx, refused);
  return event.rows.map((row) => acceptRow(tx, row));
}

function acceptRow(tx: Transaction, row: AcceptRow): AcceptOutcome {
  const known = findSession(tx, row.session.session);
  const session = known ?? createSession(tx, row.session);
  if (row.trigger && session.open_rows >= maxOpenRowsPerSession) return refuseFull(tx, row, session);
  const id = tx.id();
  const seq = row.due > tx.now ? undefined : session.last_seq + 1;
  if (!insertRow(tx, row, { id, seq })) return duplicateOf(tx, row);
  const opened = row.trigger ? 1 : 0;
  tx.run(countAccepted, seq ?? session.last_seq, opened, row.session.maxRunning, 1 - opened, tx.now, session.session);
  if (!known || session.conversation !== row.replyTo.conversation) addDestination(tx, row);
  return { outcome: "accepted", id, seq, wake: effectOf(tx, row, { session, seq }) };
}

/** Context wakes nobody, and neither does what is not due yet. */
function effectOf(
  tx: Transaction,
  row: AcceptRow,
  { session, seq }: { session: SessionRecord; seq: number | undefined },
): Wake {
  if (!row.trigger) boundContext(tx, session.session);
  if (!row.trigger || seq === undefined) return { kind: "none" };
  const effect = wake(tx, { ...session, max_running: row.session.maxRunning });
  if (effect.kind === "waiting" && effect.first) {
    const to = { conversation: row.replyTo.conversation, thread: row.replyTo.thread ?? null };
    tell(tx, to, { key: `waiting/${session.session}/${seq}`, text: whyItWaits(tx, session, { row, effect }) });
  }
  return effect;
}

function whyItWaits(
  tx: Transaction,
  session: SessionRecord,
  { row, effect }: { row: AcceptRow; effect: { readonly place: number } },
): string {
  if (isPaused(tx, session)) return sentences.paused;
  if (backsOff(tx, session)) return sentences.startFailed(session.reason ?? "");
  return sentences.placeInLine(row.session.maxRunning, effect.place);
}

function insertRow(tx: Transaction, row: AcceptRow, { id, seq }: { id: string; seq: number | undefined }): boolean {
  const inserted = tx.run(
    insertIn,
    id,
    row.session.session,
    row.dedupeKey,
    seq ?? null,
    row.kind,
    row.trigger ? 1 : 0,
    "pending",
    row.due,
    row.replyTo.conversation,
    row.replyTo.thread ?? null,
    row.sender?.identity ?? null,
    row.sender?.name ?? null,
    JSON.stringify(row.body),
    row.trace ?? null,
    tx.now,
    null,
    null,
    null,
  );
  if (inserted > 0) referToFiles(tx, row.body, { session: row.session.session, id });
  return inserted > 0;
}

function duplicateOf(tx: Transaction, row: AcceptRow): AcceptOutcome {
  const id = tx.get(selectDuplicate, row.session.session, row.dedupeKey)?.id ?? "";
  return { outcome: "duplicate", id };
}

/** The address book: a conversation gets its name when a row of it first reaches the session. */
function addDestination(tx: Transaction, row: AcceptRow): void {
  const { session } = row.session;
  if (tx.get(selectDestination, session, row.replyTo.conversation)) return;
  const taken = new Set(tx.all(selectNames, session).map(({ name }) => name));
  tx.run(insertDestination, session, destinationName(row.destinationName, taken), row.replyTo.conversation);
}

function refuseFull(tx: Transaction, row: AcceptRow, session: SessionRecord): AcceptOutcome {
  const duplicate = tx.get(selectDuplicate, session.session, row.dedupeKey);
  if (duplicate) return { outcome: "duplicate", id: duplicate.id };
  const refused: RefusedRow = {
    conversation: row.replyTo.conversation,
    dedupeKey: `${session.session} ${row.dedupeKey}`,
    code: "laneFull",
    reason: sentences.laneFull(maxOpenRowsPerSession),
    sender: row.sender?.identity,
    body: row.body,
    tell: session.full_told === 0 && { thread: row.replyTo.thread },
  };
  if (refuse(tx, refused) && session.full_told === 0) tx.run(markFullTold, session.session);
  return { outcome: "laneFull" };
}

/** @returns false when the same refusal was written before. */
function refuse(tx: Transaction, row: RefusedRow): boolean {
  const id = tx.id();
  const inserted = tx.run(
    insertIn,
    id,
    "",
    keyOf(row.conversation, row.dedupeKey),
    null,
    "chat",
    1,
    "dead",
    tx.now,
    row.conversation,
    row.tell ? (row.tell.thread ?? null) : null,
    row.sender ?? null,
    null,
    JSON.stringify(row.body),
    null,
    tx.now,
    tx.now,
    row.code,
    row.reason,
  );
  if (inserted === 0) return false;
  referToFiles(tx, row.body, { session: "", id });
  if (row.tell) {
    const to = { conversation: row.conversation, thread: row.tell.thread ?? null };
    tell(tx, to, { key: `refused/${row.dedupeKey}`, text: row.reason });
  }
  return true;
}
