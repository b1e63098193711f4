import type { Paused } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";
import type { SessionRecord } from "./records.ts";

/** Of the row of `sessions` around it. */
export const pausedSubject = "SELECT 1 FROM paused WHERE subject IN ('group ' || agent_group, 'session ' || session)";

const selectPaused = sql<[string, string], { found: number }>(
  "SELECT 1 AS found FROM paused WHERE subject IN ('group ' || ?, 'session ' || ?)",
);

const forgetPaused = sql<[]>("DELETE FROM paused");

const insertPaused = sql<[string]>("INSERT INTO paused (subject) VALUES (?) ON CONFLICT DO NOTHING");

const drainPaused = sql<[], { session: string }>(`
  UPDATE sessions SET draining = 2 WHERE wanted = 1 AND draining <> 2 AND EXISTS (${pausedSubject}) RETURNING session`);

export const isPaused = (tx: Transaction, { agent_group, session }: SessionRecord): boolean =>
  tx.get(selectPaused, agent_group, session) !== undefined;

export function setPaused(tx: Transaction, { groups, sessions }: Paused): readonly string[] {
  tx.run(forgetPaused);
  for (const group of groups) tx.run(insertPaused, `group ${group}`);
  for (const session of sessions) tx.run(insertPaused, `session ${session}`);
  return tx.all(drainPaused).map(({ session }) => session);
}
