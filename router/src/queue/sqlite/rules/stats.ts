import type { QueueStats } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";

type Count = { count: number };

// Each figure comes from a small index or from the sessions' own counters; nothing here walks through the messages.
const countOpen = sql<[], { count: number | null }>("SELECT sum(open_rows) AS count FROM sessions");
// CROSS JOIN keeps the order: session by session.
const countLeasedIn = sql<[], Count>(`
  SELECT count(*) AS count FROM sessions s CROSS JOIN messages_in m ON m.session = s.session AND m.state = 'leased'
  WHERE s.instance IS NOT NULL AND m.trigger = 1`);
const countEndedIn = sql<[], Count>("SELECT count(*) AS count FROM messages_in WHERE ended_at IS NOT NULL");
const countDeadIn = sql<[], Count>("SELECT count(*) AS count FROM messages_in WHERE state = 'dead'");
const oldestPending = sql<[], { at: number | null }>(`
  SELECT min((
    SELECT created_at FROM messages_in m
    WHERE m.session = s.session AND m.state = 'pending' AND m.seq > 0 AND m.trigger = 1 ORDER BY m.seq LIMIT 1)) AS at
  FROM sessions s WHERE s.open_rows > 0`);

const countOpenOut = sql<[], Count>("SELECT count(*) AS count FROM messages_out WHERE ended_at IS NULL");
const countLeasedOut = sql<[], Count>("SELECT count(*) AS count FROM messages_out WHERE state = 'leased'");
const countEndedOut = sql<[], Count>("SELECT count(*) AS count FROM messages_out WHERE ended_at IS NOT NULL");
const countParked = sql<[], { state: "dead" | "unknown"; count: number }>(`
  SELECT state, count(*) AS count FROM messages_out WHERE state IN ('dead', 'unknown') GROUP BY state`);

export function stats(tx: Transaction): Omit<QueueStats, "walBytes"> {
  const open = tx.get(countOpen)?.count ?? 0;
  const leased = countOf(tx, countLeasedIn);
  const dead = countOf(tx, countDeadIn);
  const parked = new Map(tx.all(countParked).map(({ state, count }) => [state, count]));
  const unknownOut = parked.get("unknown") ?? 0;
  const deadOut = parked.get("dead") ?? 0;
  const leasedOut = countOf(tx, countLeasedOut);
  return {
    inbound: { pending: open - leased, leased, dead, done: countOf(tx, countEndedIn) - dead },
    outbound: {
      pending: countOf(tx, countOpenOut) - leasedOut,
      leased: leasedOut,
      unknown: unknownOut,
      dead: deadOut,
      sent: countOf(tx, countEndedOut) - deadOut - unknownOut,
    },
    oldestPendingAt: tx.get(oldestPending)?.at ?? undefined,
  };
}

const countOf = (tx: Transaction, statement: typeof countEndedIn): number => tx.get(statement)?.count ?? 0;
