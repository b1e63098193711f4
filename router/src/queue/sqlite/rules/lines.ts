import { splitKey } from "@copepod/core/addresses";
import type { Line } from "@copepod/core/admin-api";
import type { MessageFile } from "@copepod/core/files";
import { inboundStates } from "@copepod/core/messages";
import { sql, type Transaction } from "../transaction.ts";
import type { InRecord, OutRecord } from "./records.ts";

const selectLinesAfter = sql<[string, number, number], OutRecord>(`
  SELECT * FROM messages_out WHERE conversation = ? AND position > ? AND state = 'sent' ORDER BY position LIMIT ?`);

const selectLastOut = sql<[string, number], OutRecord>(`
  SELECT * FROM messages_out WHERE conversation = ? AND state = 'sent' ORDER BY position DESC LIMIT ?`);

// What Copepod itself noted for the agent was not said in the conversation.
const selectLastIn = sql<[string, string, string, number], InRecord>(`
  SELECT * FROM messages_in
  WHERE session = ? AND state = ? AND conversation = ? AND kind = 'chat' AND dedupe_key NOT GLOB 'note/*'
  ORDER BY seq DESC LIMIT ?`);

const selectRefused = sql<[string, string, number], InRecord>(`
  SELECT * FROM messages_in WHERE session = '' AND dedupe_key >= ? AND dedupe_key < ? ORDER BY id DESC LIMIT ?`);

const selectSessions = sql<[string], { session: string }>("SELECT session FROM destinations WHERE conversation = ?");

const selectLastPosition = sql<[string], { position: number | null }>(
  "SELECT max(position) AS position FROM messages_out WHERE conversation = ?",
);

const selectOpen = sql<[string, string], { id: string }>(`
  SELECT m.id FROM destinations d JOIN messages_in m ON m.session = d.session AND m.state IN ('pending', 'leased')
  WHERE d.conversation = ? AND m.conversation = ? AND m.trigger = 1 AND m.kind <> 'control' ORDER BY m.id`);

export function linesAfter(
  tx: Transaction,
  conversation: string,
  after: number,
  limit: number,
): { readonly lines: readonly Line[]; readonly position: number; readonly open: readonly string[] } {
  const rows = tx.all(selectLinesAfter, conversation, after, limit);
  const open = tx.all(selectOpen, conversation, conversation).map(({ id }) => id);
  return { lines: rows.map(lineOut), position: rows.at(-1)?.position ?? after, open };
}

export function history(
  tx: Transaction,
  conversation: string,
  limit: number,
): { readonly lines: readonly Line[]; readonly position: number } {
  const heard = lastHeard(tx, conversation, limit).filter(isFirstOfEvent).map(lineIn);
  const said = tx.all(selectLastOut, conversation, limit).map(lineOut);
  // Ids are made in the order in which things happened, whatever the clock said.
  const lines = [...heard, ...said].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(-limit);
  return { lines, position: tx.get(selectLastPosition, conversation)?.position ?? 0 };
}

/** The newest first. There is no index for this: it would be paid for by every message, and this is asked rarely. */
function lastHeard(tx: Transaction, conversation: string, limit: number): InRecord[] {
  const rows = tx
    .all(selectSessions, conversation)
    .flatMap(({ session }) =>
      inboundStates.flatMap((state) => tx.all(selectLastIn, session, state, conversation, limit)),
    );
  const refused = tx.all(selectRefused, `${conversation}/`, `${conversation}0`, limit);
  return [...rows, ...refused].sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** The text of a row's body; every kind has one. */
export function textOf(body: string): string {
  const { text, prompt, event, action } = JSON.parse(body);
  return String(text ?? prompt ?? event ?? action ?? "");
}

/** Text and files of a chat row's body. */
export function contentOf(body: string): { readonly text: string; readonly files?: MessageFile[] } {
  const { files } = JSON.parse(body);
  return { text: textOf(body), ...(files === undefined ? {} : { files }) };
}

/** An event that several agents got is one line. Its rows were written one after the other. */
const isFirstOfEvent = (row: InRecord, index: number, rows: readonly InRecord[]): boolean =>
  rows[index + 1]?.dedupe_key !== row.dedupe_key;

const lineIn = (row: InRecord): Line => ({
  id: row.id,
  from: "person",
  time: row.created_at,
  ...contentOf(row.body),
  ...(row.sender_name === null ? {} : { sender: row.sender_name }),
});

const lineOut = (row: OutRecord): Line => ({
  id: row.id,
  from: row.session === "" ? "system" : "agent",
  position: row.position,
  time: row.created_at,
  ...contentOf(row.body),
  ...(row.session === "" ? {} : { session: splitKey(row.session).name }),
  ...(row.in_reply_to === null ? {} : { inReplyTo: row.in_reply_to }),
});
