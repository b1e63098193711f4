import { splitKey } from "@copepod/core/addresses";
import type { MessageRow, SessionRow } from "@copepod/core/admin-api";
import { inboundStates, outboundStates } from "@copepod/core/messages";
import {
  type CompiledQuery,
  DummyDriver,
  sql as fragment,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { ListMessages } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { textOf } from "./lines.ts";
import { isPaused } from "./pauses.ts";
import type { InRecord, OutRecord, SessionRecord } from "./records.ts";
import { findSession } from "./sessions.ts";

interface Tables {
  sessions: SessionRecord;
  messages_in: InRecord;
  messages_out: OutRecord;
}

/** Builds the statements with optional filters; they run on the same handle as all others. */
const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

const selectDestinationNames = sql<[string], { conversation: string; name: string; displayName: string | null }>(`
  SELECT d.conversation, d.name, c.name AS displayName
  FROM destinations d JOIN conversations c ON c.id = d.conversation WHERE d.session = ? ORDER BY d.name`);

const selectHead = sql<[string], { created_at: number }>(`
  SELECT created_at FROM messages_in WHERE session = ? AND state IN ('pending', 'leased') AND seq > 0 AND trigger = 1
  ORDER BY seq LIMIT 1`);

const countDelayed = sql<[string], { count: number }>(`
  SELECT count(*) AS count FROM messages_in
  WHERE session = ? AND state = 'pending' AND seq IS NULL AND trigger = 1 AND kind <> 'control'`);

export function destinations(
  tx: Transaction,
  session: string,
): readonly { readonly name: string; readonly displayName: string }[] {
  return tx.all(selectDestinationNames, session).map(({ name, displayName }) => ({
    name,
    displayName: displayName ?? name,
  }));
}

export function listSessions(
  tx: Transaction,
  namespace: string,
  limit: number,
  addressPrefix?: string,
): readonly SessionRow[] {
  let query = builder
    .selectFrom("sessions")
    .selectAll()
    .where("session", ">=", `${namespace}/`)
    .where("session", "<", `${namespace}0`)
    .orderBy("last_active_at", "desc")
    .orderBy("session")
    .limit(limit);
  if (addressPrefix !== undefined) query = query.where(isAt(addressPrefix));
  return allOf(tx, query.compile()).map((row) => sessionRow(tx, row));
}

export function session(tx: Transaction, key: string): SessionRow | undefined {
  const row = findSession(tx, key);
  return row && sessionRow(tx, row);
}

/** The newest first. A filter by kind is one of messages in; only chat exists in both directions. */
export function listMessages(tx: Transaction, query: ListMessages): readonly MessageRow[] {
  const heard = isState(inboundStates, query.state) ? listIn(tx, query) : [];
  const isOut = isState(outboundStates, query.state) && (query.kind === undefined || query.kind === "chat");
  const said = isOut ? listOut(tx, query) : [];
  return [...heard, ...said].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, query.limit);
}

export const inRow = (row: InRecord): MessageRow => messageRow("in", row);
export const outRow = (row: OutRecord): MessageRow => messageRow("out", row);

const messageRow = (direction: MessageRow["direction"], row: InRecord | OutRecord): MessageRow => ({
  id: row.id,
  direction,
  session: row.session,
  ...optional({ seq: row.seq, conversation: row.conversation, retryAt: row.retry_at, code: row.code }),
  ...optional({ reason: row.reason }),
  kind: row.kind,
  state: row.state,
  attempt: row.attempt,
  createdAt: row.created_at,
  text: textOf(row.body),
});

function listIn(
  tx: Transaction,
  { namespace, session, addressPrefix, state, kind, limit }: ListMessages,
): MessageRow[] {
  let query = builder.selectFrom("messages_in").selectAll().orderBy("id", "desc").limit(limit);
  if (session !== undefined) query = query.where("session", "=", session);
  else if (namespace !== undefined) query = query.where(isOf(namespace));
  if (addressPrefix !== undefined) query = query.where(isAt(addressPrefix));
  if (kind !== undefined) query = query.where("kind", "=", kind);
  if (state === "dead") query = query.where(fragment<boolean>`state = 'dead'`);
  else if (state !== undefined) query = query.where(fragment<boolean>`state = ${state}`);
  // Open rows are few among many: found lane by lane, and not by walking through all that ever was.
  if (session === undefined && (state === "pending" || state === "leased")) {
    query = query.where("session", "in", builder.selectFrom("sessions").select("session"));
  }
  return allOf(tx, query.compile()).map(inRow);
}

function listOut(tx: Transaction, { namespace, session, addressPrefix, state, limit }: ListMessages): MessageRow[] {
  const isOpen = state === "pending" || state === "leased";
  // The plus sign keeps SQLite from walking through all that ever was in the order of the ids, to find the few open ones.
  const order = isOpen ? fragment`+id` : fragment.ref("id");
  let query = builder.selectFrom("messages_out").selectAll().orderBy(order, "desc").limit(limit);
  if (session !== undefined) query = query.where("session", "=", session);
  else if (namespace !== undefined) query = query.where(isOf(namespace));
  if (addressPrefix !== undefined) query = query.where(isAt(addressPrefix));
  if (state === "dead" || state === "unknown") query = query.where(fragment<boolean>`state IN ('dead', 'unknown')`);
  if (isOpen) query = query.where("ended_at", "is", null);
  if (state !== undefined) query = query.where(fragment<boolean>`state = ${state}`);
  return allOf(tx, query.compile()).map(outRow);
}

/** What has no session is found by its conversation. The plus signs keep the other filters' index. */
const isOf = (namespace: string) => fragment<boolean>`(
  +session >= ${`${namespace}/`} AND +session < ${`${namespace}0`}
  OR +session = '' AND EXISTS (SELECT 1 FROM conversations c WHERE c.id = conversation AND c.namespace = ${namespace}))`;

const isAt = (prefix: string) => fragment<boolean>`EXISTS (
  SELECT 1 FROM conversations c WHERE c.id = conversation AND c.served_by_router = 1
    AND substr(c.address, 1, length(${prefix})) = ${prefix})`;

function sessionRow(tx: Transaction, row: SessionRecord): SessionRow {
  const { namespace, name } = splitKey(row.session);
  const delayed = row.open_rows > 0 ? (tx.get(countDelayed, row.session)?.count ?? 0) : 0;
  const head = row.open_rows > 0 ? tx.get(selectHead, row.session) : undefined;
  return {
    namespace,
    name,
    group: splitKey(row.agent_group).name,
    phase: phaseOf(row),
    epoch: row.epoch,
    pending: row.open_rows - delayed,
    lastActiveAt: row.last_active_at,
    ...optional({ podUid: row.pod_uid, conversation: row.conversation, oldestPendingAt: head?.created_at ?? null }),
    ...optional({ reason: row.reason ?? whyItWaits(tx, row) }),
  };
}

function whyItWaits(tx: Transaction, row: SessionRecord): string | null {
  if (row.waiting === null) return null;
  return isPaused(tx, row) ? sentences.pausedReason : sentences.waiting;
}

function phaseOf(row: SessionRecord): SessionRow["phase"] {
  if (row.wanted === 0) return row.failures > 0 ? "Failed" : "Asleep";
  if (row.draining > 0) return "Draining";
  return row.instance === null ? "Waking" : "Awake";
}

/** Runs what the builder built. Such a statement is made for its call, so it is prepared for it too. */
const allOf = <R>(tx: Transaction, query: CompiledQuery<R>): R[] => tx.once<R>(query.sql, query.parameters);

const isState = (states: readonly string[], state: string | undefined): boolean =>
  state === undefined || states.includes(state);

type Present<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Leaves out what is null. */
function optional<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as Present<T>;
}
