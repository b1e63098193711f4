import type { ControlMessage } from "@copepod/core/messages";
import type { Holder } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";
import { recordAudit } from "./audit.ts";
import { insertIn } from "./inbox.ts";
import { requireHolder } from "./sessions.ts";

/** A control row that is not acknowledged is handed to the same instance again after this time: its answer may be lost. */
const controlRepeatMs = 2_000;

interface ControlRow {
  readonly id: string;
  readonly body: string;
}

const selectControl = sql<[string], ControlRow>(`
  SELECT id, body FROM messages_in WHERE session = ? AND kind = 'control' AND ended_at IS NULL ORDER BY position`);

const endControl = sql<[number, string | null, string, string]>(`
  UPDATE messages_in SET state = 'done', ended_at = ?, holder = ?
  WHERE session = ? AND kind = 'control' AND ended_at IS NULL AND id = ?`);

const isLeased = sql<[string, number], { found: number }>(
  "SELECT 1 AS found FROM messages_in WHERE session = ? AND state = 'leased' AND seq = ?",
);

const runningTurns = sql<[string, string], { session: string; turn: number }>(`
  SELECT d.session AS session, (
    SELECT min(first.seq) FROM messages_in first WHERE first.session = d.session AND first.state = 'leased') AS turn
  FROM destinations d
  WHERE d.conversation = ? AND EXISTS (
    SELECT 1 FROM messages_in m WHERE m.session = d.session AND m.state = 'leased' AND m.trigger = 1
      AND m.conversation = ?)`);

/** Control rows that the instance shall hear of now. */
export function openControl(tx: Transaction, holder: Holder): ControlMessage[] {
  const due = tx.all(selectControl, holder.session).filter(({ id }) => {
    const key = `${id}/${holder.instance}`;
    const handedAt = tx.controlHandedAt.get(key);
    if (handedAt !== undefined && tx.monotonic < handedAt + controlRepeatMs) return false;
    tx.controlHandedAt.set(key, tx.monotonic);
    return true;
  });
  return due.map(({ id, body }) => ({ id, body: JSON.parse(body) }));
}

export function acknowledge(tx: Transaction, holder: Holder, control: readonly string[]): void {
  requireHolder(tx, holder);
  for (const id of control) endOne(tx, holder, id);
}

/** A stop whose turn is over has no effect any more. */
export function endLateStops(tx: Transaction, holder: Holder): void {
  for (const { id, body } of tx.all(selectControl, holder.session)) {
    if (!tx.get(isLeased, holder.session, JSON.parse(body).turn)) endOne(tx, holder, id);
  }
}

export function stop(tx: Transaction, conversation: string, identity: string): readonly string[] {
  const turns = tx.all(runningTurns, conversation, conversation);
  for (const { session, turn } of turns) writeStop(tx, { session, turn, conversation, identity });
  return turns.map(({ session }) => session);
}

interface Stop {
  readonly session: string;
  readonly turn: number;
  readonly conversation: string;
  readonly identity: string;
}

function writeStop(tx: Transaction, { session, turn, conversation, identity }: Stop): void {
  const asked = tx.all(selectControl, session).some(({ body }) => JSON.parse(body).turn === turn);
  if (asked) return;
  const id = tx.id();
  const body = JSON.stringify({ action: "stop", turn });
  const key = `stop/${id}`;
  // Not a trigger of its own, yet no context either: control rows are found by their kind.
  const trigger = 1;
  tx.run(
    insertIn,
    id,
    session,
    key,
    null,
    "control",
    trigger,
    "pending",
    tx.now,
    conversation,
    null,
    identity,
    null,
    body,
    null,
    tx.now,
    null,
    null,
    null,
  );
  recordAudit(tx, { actor: identity, action: "stop", subject: session, detail: `turn ${turn}` });
}

function endOne(tx: Transaction, holder: Holder, id: string): void {
  tx.run(endControl, tx.now, holder.instance, holder.session, id);
  tx.controlHandedAt.delete(`${id}/${holder.instance}`);
}
