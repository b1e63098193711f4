import { maxContextRowsPerSession } from "@copepod/core/limits";
import type { AgentMessage } from "@copepod/core/mailbox-api";
import type { MailboxMessage } from "@copepod/core/messages";
import type { Holder, Taken, Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { type Candidate, chooseBatch } from "./choose-batch.ts";
import { openControl } from "./control.ts";
import { buryIn } from "./dead-letters.ts";
import { contentOf } from "./lines.ts";
import type { LaneRecord, SessionRecord } from "./records.ts";
import { isDraining, requireHolder } from "./sessions.ts";

interface PendingRow extends Candidate {
  readonly position: number;
  readonly seq: number;
}

const selectLeased = sql<[string], { seq: number; trigger: number }>(
  "SELECT seq, trigger FROM messages_in WHERE session = ? AND state = 'leased' ORDER BY seq",
);

const selectPending = sql<[string, number], PendingRow>(`
  SELECT position, seq, kind, trigger, attempt, retry_at FROM messages_in
  WHERE session = ? AND state = 'pending' AND seq > 0 ORDER BY seq LIMIT ?`);

const selectLeasedRow = sql<[string, number], LaneRecord>(
  "SELECT * FROM messages_in WHERE session = ? AND state = 'leased' AND seq = ?",
);

const selectRow = sql<[number], LaneRecord>("SELECT * FROM messages_in WHERE position = ?");

const leaseRow = sql<[string, number], LaneRecord>(`
  UPDATE messages_in SET state = 'leased', attempt = attempt + 1, holder = ?, retry_at = NULL
  WHERE position = ? RETURNING *`);

const nextDelayed = sql<[string], { due: number | null }>(`
  SELECT min(due) AS due FROM messages_in
  WHERE session = ? AND state = 'pending' AND seq IS NULL AND kind <> 'control'`);

const selectFrom = sql<[string, string], { name: string }>(
  "SELECT name FROM destinations WHERE session = ? AND conversation = ?",
);

const selectPosts = sql<[string, string, string], { destination: string; body: string }>(`
  SELECT destination, body FROM messages_out
  WHERE session = ? AND idempotency_key >= ? AND idempotency_key < ? ORDER BY position`);

interface TakeInput {
  readonly held: readonly number[];
  readonly limit: number;
}

export function take(tx: Transaction, holder: Holder, input: TakeInput): Taken & Written {
  const session = requireHolder(tx, holder);
  const draining = isDraining(session);
  const leased = tx.all(selectLeased, holder.session);
  const held = new Set(input.held);
  const lost = leased.filter(({ seq }) => !held.has(seq));
  const running = leased.some(({ trigger }) => trigger === 1);
  const { rows, blockedUntil } =
    lost.length > 0
      ? { rows: lost.flatMap(({ seq }) => tx.get(selectLeasedRow, holder.session, seq) ?? []), blockedUntil: undefined }
      : draining
        ? { rows: [], blockedUntil: undefined }
        : leaseNext(tx, session, { holder, running, limit: input.limit });
  return {
    messages: toMessages(tx, rows),
    control: openControl(tx, holder),
    alreadySent: input.held.length === 0 ? postsBefore(tx, rows) : [],
    nextAt: rows.length > 0 ? undefined : nextAt(tx, holder.session, blockedUntil),
    draining,
    ...tx.written(),
  };
}

/** The next rows of the lane, leased. Rows that were tried too often end here, and the ones behind them follow. */
function leaseNext(
  tx: Transaction,
  session: SessionRecord,
  { holder, running, limit }: { holder: Holder; running: boolean; limit: number },
): { rows: LaneRecord[]; blockedUntil: number | undefined } {
  for (;;) {
    const lane = tx.all(selectPending, session.session, limit + maxContextRowsPerSession + 1);
    const choice = chooseBatch(lane, { running, limit, now: tx.now });
    for (const { position } of choice.exhausted) endExhausted(tx, position);
    const rows = choice.rows.flatMap(({ position }) => tx.get(leaseRow, holder.instance, position) ?? []);
    if (rows.length > 0 || choice.exhausted.length === 0) return { rows, blockedUntil: choice.blockedUntil };
  }
}

function endExhausted(tx: Transaction, position: number): void {
  const row = tx.get(selectRow, position);
  if (!row) return;
  const reason = sentences.attemptsExhaustedReason(row.reason);
  buryIn(tx, [row], { code: "attemptsExhausted", reason, told: sentences.attemptsExhausted(row.reason) });
}

function nextAt(tx: Transaction, session: string, blockedUntil: number | undefined): number | undefined {
  const due = tx.get(nextDelayed, session)?.due ?? undefined;
  if (due === undefined || blockedUntil === undefined) return due ?? blockedUntil;
  return Math.min(due, blockedUntil);
}

/** What an earlier turn over the same first row has said before it ended without a commit. */
function postsBefore(tx: Transaction, rows: readonly LaneRecord[]): AgentMessage[] {
  const first = rows[0];
  if (!first || rows.every(({ attempt }) => attempt <= 1)) return [];
  const posts = tx.all(selectPosts, first.session, `${first.seq}/post/`, `${first.seq}/post0`);
  return posts.map(({ destination, body }) => ({ to: destination, ...contentOf(body) }));
}

function toMessages(tx: Transaction, rows: readonly LaneRecord[]): MailboxMessage[] {
  const names = new Map<string, string>();
  return rows.map((row) => {
    const from = names.get(row.conversation) ?? tx.get(selectFrom, row.session, row.conversation)?.name ?? "";
    names.set(row.conversation, from);
    return {
      kind: row.kind,
      seq: row.seq,
      trigger: row.trigger === 1,
      redelivered: row.attempt > 1,
      from,
      ...(row.sender_name === null ? {} : { sender: row.sender_name }),
      time: Math.max(row.created_at, row.due),
      body: JSON.parse(row.body),
    };
  });
}
