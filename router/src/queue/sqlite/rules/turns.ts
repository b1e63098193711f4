import { backoffMs, inboundBackoff } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { maxInboundAttempts, maxPostsPerTurn, maxRetryAfterMs } from "@copepod/core/limits";
import type { AgentMessage } from "@copepod/core/mailbox-api";
import { inboundStates } from "@copepod/core/messages";
import type { FailInput, FinishInput, Holder, Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { requireUploaded } from "./blobs.ts";
import { endLateStops } from "./control.ts";
import { buryIn } from "./dead-letters.ts";
import { noteForAgent } from "./inbox.ts";
import { findConversation, hashOf, tell, writeOut } from "./outbox.ts";
import type { InRecord, LaneRecord, SessionRecord } from "./records.ts";
import { countOpenRows, requireHolder, takeSeqs, touchSession } from "./sessions.ts";

const selectLeased = sql<[string, number], LaneRecord>(
  "SELECT * FROM messages_in WHERE session = ? AND state = 'leased' AND seq = ?",
);

const selectByState = sql<[string, string, number], { holder: string | null }>(
  "SELECT holder FROM messages_in WHERE session = ? AND state = ? AND seq = ?",
);

const endRow = sql<[number, string | null, string | null, number]>(
  "UPDATE messages_in SET state = 'done', ended_at = ?, code = ?, reason = ? WHERE position = ?",
);

const postpone = sql<[number, string, number]>(
  "UPDATE messages_in SET state = 'pending', holder = NULL, retry_at = ?, reason = ? WHERE position = ?",
);

const selectDestination = sql<[string, string], { conversation: string }>(
  "SELECT conversation FROM destinations WHERE session = ? AND name = ?",
);

const lastThread = sql<[string, string, string], { thread: string | null; seq: number }>(`
  SELECT thread, seq FROM messages_in
  WHERE session = ? AND state = ? AND conversation = ? AND kind <> 'control' AND dedupe_key NOT GLOB 'note/*'
  ORDER BY seq DESC LIMIT 1`);

const selectPosted = sql<[string, string], { seq: number }>(
  "SELECT seq FROM messages_out WHERE session = ? AND idempotency_key = ?",
);

const countPosted = sql<[string, string, string], { count: number }>(
  "SELECT count(*) AS count FROM messages_out WHERE session = ? AND idempotency_key >= ? AND idempotency_key < ?",
);

export function post(
  tx: Transaction,
  holder: Holder,
  input: AgentMessage & { readonly turn: number; readonly occurrence: number },
): { readonly seq: number; readonly duplicate: boolean } & Written {
  const session = requireHolder(tx, holder);
  const hash = hashOf(holder.session, input.turn, input.to, input.text, input.occurrence, ...hashesOf(input));
  const key = `${input.turn}/post/${hash}`;
  const posted = tx.get(selectPosted, holder.session, key);
  if (posted) return { seq: posted.seq, duplicate: true, ...tx.written() };
  if (
    (tx.get(countPosted, holder.session, `${input.turn}/post/`, `${input.turn}/post0`)?.count ?? 0) >= maxPostsPerTurn
  ) {
    throw new CopepodError("rateLimited", sentences.tooManyPosts(maxPostsPerTurn));
  }
  const first = tx.get(selectLeased, holder.session, input.turn);
  if (!first) throw new CopepodError("conflict", sentences.turnOver(input.turn));
  const conversation = tx.get(selectDestination, holder.session, input.to)?.conversation;
  if (!conversation) throw new CopepodError("destinationUnknown", sentences.destinationUnknown(input.to));
  requireUploaded(tx, holder.session, input.files);
  const seq = takeSeqs(tx, holder.session, 1);
  writeMessage(tx, { session, first, conversation, message: input, key, seq });
  touchSession(tx, holder.session);
  return { seq, duplicate: false, ...tx.written() };
}

export function finish(tx: Transaction, holder: Holder, input: FinishInput): { readonly repeated: boolean } & Written {
  const session = requireHolder(tx, holder);
  const consumed = [...new Set(input.consumed)];
  const rows = consumed.flatMap((seq) => tx.get(selectLeased, holder.session, seq) ?? []);
  if (rows.length < consumed.length) return repeatFinish(tx, holder, consumed);
  const first = tx.get(selectLeased, holder.session, input.turn) ?? rows[0];
  if (first) sayFinally(tx, { session, first, input });
  const end = input.cancelled ? { code: "cancelled", reason: sentences.cancelled } : { code: null, reason: null };
  for (const row of rows) {
    tx.run(endRow, tx.now, end.code, end.reason, row.position);
    tx.notifyConversation(row.conversation);
  }
  countOpenRows(tx, holder.session, -rows.filter(({ trigger }) => trigger === 1).length);
  endLateStops(tx, holder);
  return { repeated: false, ...tx.written() };
}

export function fail(
  tx: Transaction,
  holder: Holder,
  input: FailInput,
): { readonly dead: readonly number[] } & Written {
  requireHolder(tx, holder);
  const seqs = [...new Set(input.rows)];
  const rows = seqs.flatMap((seq) => tx.get(selectLeased, holder.session, seq) ?? []);
  switch (input.class) {
    case "permanent":
      buryIn(tx, rows, {
        code: "providerFailed",
        reason: input.message,
        told: sentences.providerFailed(input.message),
      });
      break;
    case "auth":
      buryIn(tx, rows, { code: "providerAuth", reason: input.message, told: sentences.providerAuth(input.message) });
      break;
    case "rateLimited":
    case "transient":
    case "unknown":
      tryLater(tx, rows, input);
      break;
  }
  endLateStops(tx, holder);
  const dead = seqs.filter((seq) => tx.get(selectByState, holder.session, "dead", seq));
  return { dead, ...tx.written() };
}

/** The answer of a finish may be lost after its commit. Anything else about rows that are not held is a fault. */
function repeatFinish(tx: Transaction, holder: Holder, consumed: readonly number[]): { repeated: boolean } & Written {
  const foreign = consumed.filter(
    (seq) => tx.get(selectByState, holder.session, "done", seq)?.holder !== holder.instance,
  );
  if (foreign.length > 0 || consumed.length === 0) throw new CopepodError("conflict", sentences.notHeld(foreign));
  return { repeated: true, ...tx.written() };
}

interface Saying {
  readonly session: SessionRecord;
  /** First row of the turn. */
  readonly first: LaneRecord;
  readonly input: FinishInput;
}

function sayFinally(tx: Transaction, { session, first, input }: Saying): void {
  const { turn, messages, consumed, notice } = input;
  for (const { files } of messages) requireUploaded(tx, session.session, files);
  let seq = messages.length > 0 ? takeSeqs(tx, session.session, messages.length) : 0;
  messages.forEach((message, index) => {
    // The rows belong to the hash: a turn number comes twice when the provider left the turn's first row unconsumed.
    const content = [message.to, message.text, ...hashesOf(message)];
    const hash = hashOf(session.session, turn, "final", index, ...content, ...consumed);
    const conversation = tx.get(selectDestination, session.session, message.to)?.conversation;
    writeMessage(tx, { session, first, conversation, message, key: `${turn}/final/${hash}`, seq });
    seq += 1;
  });
  if (notice !== undefined) {
    tell(tx, first, { key: `notice/${session.session}/${hashOf(turn, ...consumed)}`, text: notice });
  }
}

interface Message {
  readonly session: SessionRecord;
  readonly first: LaneRecord;
  /** undefined = the agent named a destination that it does not have. */
  readonly conversation: string | undefined;
  readonly message: AgentMessage;
  readonly key: string;
  readonly seq: number;
}

function writeMessage(tx: Transaction, { session, first, conversation, message, key, seq }: Message): void {
  const row = {
    session: session.session,
    key,
    seq,
    turn: first.seq,
    inReplyTo: first.id,
    destination: message.to,
    text: message.text,
    files: message.files,
  };
  if (conversation !== undefined) {
    refuseFilesNobodyShows(tx, conversation, message);
    writeOut(tx, { ...row, conversation, thread: threadOf(tx, session, conversation) });
    return;
  }
  const reason = sentences.destinationUnknown(message.to);
  writeOut(tx, { ...row, conversation: "", thread: null, dead: { code: "destinationUnknown", reason } });
  noteForAgent(tx, session.session, { conversation: first.conversation, text: reason });
}

/** Only the terminal shows files so far. @throws CopepodError `invalid` */
function refuseFilesNobodyShows(tx: Transaction, conversation: string, { to, files = [] }: AgentMessage): void {
  if (files.length === 0 || findConversation(tx, conversation)?.served_by_router === 1) return;
  throw new CopepodError("invalid", sentences.noFilesThere(to));
}

/** Two files of one content and different names are two. */
const hashesOf = ({ files = [] }: AgentMessage): string[] => files.flatMap(({ name, blob }) => [blob, name]);

function threadOf(tx: Transaction, session: SessionRecord, conversation: string): string | null {
  if (session.key_kind === "Thread" && conversation === session.conversation) return session.thread;
  const states = inboundStates.flatMap((state) => tx.get(lastThread, session.session, state, conversation) ?? []);
  return states.sort((a, b) => b.seq - a.seq)[0]?.thread ?? null;
}

/** All rows of the turn wait for the same time, so that they stay one batch. */
function tryLater(tx: Transaction, rows: readonly InRecord[], { message, retryAfterMs }: FailInput): void {
  const attempt = Math.max(1, ...rows.map((row) => row.attempt));
  const delay = Math.max(backoffMs(inboundBackoff, attempt, tx.random()), Math.min(retryAfterMs ?? 0, maxRetryAfterMs));
  const exhausted = rows.filter((row) => row.attempt >= maxInboundAttempts);
  buryIn(tx, exhausted, {
    code: "attemptsExhausted",
    reason: sentences.attemptsExhaustedReason(message),
    told: sentences.attemptsExhausted(message),
  });
  for (const row of rows) {
    if (row.attempt < maxInboundAttempts) tx.run(postpone, tx.now + delay, message, row.position);
  }
}
