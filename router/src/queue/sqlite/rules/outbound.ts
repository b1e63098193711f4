import { backoffMs, outboundBackoff } from "@copepod/core/backoff";
import type { Delivery } from "@copepod/core/channel-api";
import { CopepodError } from "@copepod/core/errors";
import { maxRetryAfterMs } from "@copepod/core/limits";
import type { ChannelError } from "@copepod/core/messages";
import type { Written } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { parkOut } from "./dead-letters.ts";
import type { OutRecord } from "./records.ts";
import { isEnded } from "./sessions.ts";
import { markEnded } from "./waking.ts";

const selectChannel = sql<[string], { cursor: string | null; host: string | null }>(
  "SELECT cursor, host FROM channels WHERE channel = ?",
);

const setHost = sql<[string, string]>(`
  INSERT INTO channels (channel, host) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET host = excluded.host`);

const forgetHost = sql<[string]>("UPDATE channels SET host = NULL WHERE channel = ?");

const releaseDeliveries = sql<[string]>(`
  UPDATE messages_out SET state = 'pending', holder = NULL, uncertain = 1 WHERE channel = ? AND state = 'leased'`);

const selectHosts = sql<[], { channel: string; host: string }>(
  "SELECT channel, host FROM channels WHERE host IS NOT NULL",
);

const selectLeased = sql<[string], DeliveryRecord>(`
  SELECT o.*, c.address FROM messages_out o JOIN conversations c ON c.id = o.conversation
  WHERE o.channel = ? AND o.state = 'leased' ORDER BY o.position`);

const selectHead = sql<[string, string], Head>(`
  SELECT position, conversation, state, retry_at FROM messages_out
  WHERE channel = ? AND conversation > ? AND ended_at IS NULL ORDER BY conversation, position LIMIT 1`);

const leaseHead = sql<[string, number]>(
  "UPDATE messages_out SET state = 'leased', attempt = attempt + 1, holder = ?, retry_at = NULL WHERE position = ?",
);

const selectDelivery = sql<[number], DeliveryRecord>(`
  SELECT o.*, c.address FROM messages_out o JOIN conversations c ON c.id = o.conversation WHERE o.position = ?`);

const selectOut = sql<[string, string], OutRecord>("SELECT * FROM messages_out WHERE id = ? AND channel = ?");

const markSent = sql<[number, string, number]>(`
  UPDATE messages_out SET state = 'sent', ended_at = ?, platform_message_id = ?, retry_at = NULL, code = NULL,
    reason = NULL
  WHERE position = ?`);

const postpone = sql<[number, string, number]>(`
  UPDATE messages_out SET state = 'pending', holder = NULL, uncertain = 0, retry_at = ?, reason = ? WHERE position = ?`);

const selectExpired = sql<[number, number], OutRecord>(`
  SELECT * FROM messages_out WHERE ended_at IS NULL AND expires_at <= ? AND state = 'pending' ORDER BY expires_at LIMIT ?`);

const maxExpiredPerCall = 500;
/** Lanes that one call looks at: bounds its time when very many wait for a retry. The next call goes on behind them. */
const maxLanesPerLease = 2_000;
/** Between two such calls that found nothing, so that a platform that is down keeps nobody busy. */
const laneWalkPauseMs = 200;

interface DeliveryRecord extends OutRecord {
  readonly address: string;
}

interface Head {
  readonly position: number;
  readonly conversation: string;
  readonly state: string;
  readonly retry_at: number | null;
}

export function channelHello(
  tx: Transaction,
  channel: string,
  instance: string,
): { readonly cursor: string | undefined } {
  const known = tx.get(selectChannel, channel);
  if (isEnded(tx, channel, instance)) throw hostSuperseded(channel);
  if (known?.host !== instance) {
    endHost(tx, channel, known?.host ?? undefined);
    tx.run(setHost, channel, instance);
  }
  tx.hosts.restart(channel, instance, tx.monotonic);
  return { cursor: known?.cursor ?? undefined };
}

export function leaseOut(
  tx: Transaction,
  channel: string,
  instance: string,
  { held, limit }: { readonly held: readonly string[]; readonly limit: number },
): { readonly deliveries: readonly Delivery[]; readonly nextAt: number | undefined } {
  requireHost(tx, channel, instance);
  const known = new Set(held);
  const lost = tx.all(selectLeased, channel).filter(({ id }) => !known.has(id));
  const room = limit - lost.length;
  const { heads, nextAt } = room > 0 ? chooseHeads(tx, channel, room) : { heads: [], nextAt: undefined };
  const leased = heads.flatMap((position) => {
    tx.run(leaseHead, instance, position);
    return tx.get(selectDelivery, position) ?? [];
  });
  return { deliveries: [...lost, ...leased].map(toDelivery), nextAt };
}

export function completeOut(
  tx: Transaction,
  channel: string,
  instance: string,
  id: string,
  platformMessageId: string,
): Written {
  requireHost(tx, channel, instance);
  const row = findOut(tx, channel, id);
  // Whatever the row's state is by now: that it was shown is the truth.
  if (row.state !== "sent") tx.run(markSent, tx.now, platformMessageId, row.position);
  return follow(tx, row);
}

export function failOut(tx: Transaction, channel: string, instance: string, id: string, error: ChannelError): Written {
  requireHost(tx, channel, instance);
  const row = findOut(tx, channel, id);
  if (row.state === "leased") failLeased(tx, row, error);
  return follow(tx, row);
}

export function expireHosts(tx: Transaction): readonly string[] {
  return tx.hosts.expired(tx.monotonic).flatMap(({ owner, instance }) => {
    if (tx.get(selectChannel, owner)?.host !== instance) {
      tx.hosts.forget(owner, instance);
      return [];
    }
    endHost(tx, owner, instance);
    tx.run(forgetHost, owner);
    return [owner];
  });
}

/** Ends deliveries that nobody could make in time, whether no host came for them or each one ended over them. */
export function expireDeliveries(tx: Transaction): Written {
  for (const row of tx.all(selectExpired, tx.now, maxExpiredPerCall)) {
    const isUncertain = row.uncertain === 1;
    const reason = sentences.expired(row.reason ?? sentences.neverDelivered);
    if (isUncertain) parkOut(tx, row, { state: "unknown", code: "outcomeUnknown", reason });
    else parkOut(tx, row, { state: "dead", code: "expired", reason });
  }
  return tx.written();
}

/** Gives every adapter host the full lease time again, when the database is opened. */
export function restartHostLeases(tx: Transaction): void {
  for (const { channel, host } of tx.all(selectHosts)) tx.hosts.restart(channel, host, tx.monotonic);
}

/** Heads of lanes that may go out, in turn: the walk over the lanes starts behind the one that was seen last. */
function chooseHeads(tx: Transaction, channel: string, limit: number): { heads: number[]; nextAt: number | undefined } {
  const heads: number[] = [];
  let nextAt = Number.POSITIVE_INFINITY;
  let seen = 0;
  for (const head of walkLanes(tx, channel, tx.lastLane.get(channel) ?? "")) {
    tx.lastLane.set(channel, head.conversation);
    const readyAt = readyAtOf(head);
    if (readyAt <= tx.now) heads.push(head.position);
    nextAt = Math.min(nextAt, Math.max(readyAt, tx.now));
    seen += 1;
    if (heads.length >= limit) break;
    if (seen >= maxLanesPerLease) return { heads, nextAt: tx.now + laneWalkPauseMs };
  }
  return { heads, nextAt: Number.isFinite(nextAt) ? nextAt : undefined };
}

/** A leased head is never ready: its outcome is an event of its own. */
const readyAtOf = (head: Head): number => (head.state === "pending" ? (head.retry_at ?? 0) : Number.POSITIVE_INFINITY);

/** The open head of each lane of the channel once: those behind `start`, then those up to it. */
function* walkLanes(tx: Transaction, channel: string, start: string): Generator<Head> {
  for (let head = tx.get(selectHead, channel, start); head; head = tx.get(selectHead, channel, head.conversation)) {
    yield head;
  }
  if (start === "") return;
  for (let head = tx.get(selectHead, channel, ""); head; head = tx.get(selectHead, channel, head.conversation)) {
    if (head.conversation > start) return;
    yield head;
  }
}

function failLeased(tx: Transaction, row: OutRecord, error: ChannelError): void {
  switch (error.class) {
    case "permanent":
      parkOut(tx, row, { state: "dead", code: "channelFailed", reason: error.message });
      break;
    case "unknown":
      parkOut(tx, row, { state: "unknown", code: "outcomeUnknown", reason: error.message });
      break;
    case "auth":
    case "rateLimited":
    case "transient":
      tryLater(tx, row, error);
      break;
  }
}

function tryLater(tx: Transaction, row: OutRecord, error: ChannelError): void {
  const isAuth = error.class === "auth";
  if (tx.now >= row.expires_at) {
    if (isAuth) parkOut(tx, row, { state: "dead", code: "channelAuth", reason: error.message });
    else parkOut(tx, row, { state: "dead", code: "expired", reason: sentences.expired(error.message) });
    return;
  }
  const delay = isAuth ? outboundBackoff.maxMs : backoffMs(outboundBackoff, row.attempt, tx.random());
  tx.run(
    postpone,
    tx.now + Math.max(delay, Math.min(error.retryAfterMs ?? 0, maxRetryAfterMs)),
    error.message,
    row.position,
  );
}

function requireHost(tx: Transaction, channel: string, instance: string): void {
  if (tx.get(selectChannel, channel)?.host !== instance) throw hostSuperseded(channel);
  tx.hosts.restart(channel, instance, tx.monotonic);
}

/** Nobody knows what the host did with its deliveries, so they go out again as uncertain. */
function endHost(tx: Transaction, channel: string, host: string | undefined): void {
  tx.run(releaseDeliveries, channel);
  if (host !== undefined) markEnded(tx, channel, host);
}

function findOut(tx: Transaction, channel: string, id: string): OutRecord {
  const row = tx.get(selectOut, id, channel);
  if (!row) throw new CopepodError("notFound", sentences.rowUnknown(id));
  return row;
}

/** The lane's next row can go, and the line can be seen. */
function follow(tx: Transaction, row: OutRecord): Written {
  tx.notifyChannel(row.channel);
  tx.notifyConversation(row.conversation);
  return tx.written();
}

const hostSuperseded = (channel: string): CopepodError =>
  new CopepodError("superseded", sentences.hostSuperseded(channel));

const toDelivery = (row: DeliveryRecord): Delivery => ({
  id: row.id,
  idempotencyKey: row.id,
  address: row.address,
  ...(row.thread === null ? {} : { thread: row.thread }),
  text: JSON.parse(row.body).text,
  attempt: row.attempt,
  uncertain: row.uncertain === 1,
  createdAt: row.created_at,
});
