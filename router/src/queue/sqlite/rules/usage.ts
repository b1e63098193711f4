import type { UsageSum } from "@copepod/core/admin-api";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import type { UsageQuery } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";
import { getSession } from "./sessions.ts";

interface Worked {
  readonly sender: string | null;
  readonly seq: number;
}

type Values = [
  session: string,
  id: string,
  agentGroup: string,
  identity: string | null,
  credential: string,
  model: string,
  status: number,
  inputTokens: number,
  outputTokens: number,
  cacheReadTokens: number,
  cacheWriteTokens: number,
  costMicros: number | null,
  durationMs: number,
  createdAt: number,
];

const insertUsage = sql<Values>(`
  INSERT OR IGNORE INTO usage (session, id, agent_group, identity, credential, model, status, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, cost_micros, duration_ms, created_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);

const selectRunning = sql<[string], Worked>(`
  SELECT sender, seq FROM messages_in
  WHERE session = ? AND state = 'leased' AND trigger = 1 AND seq > 0 ORDER BY seq LIMIT 1`);

/** Of each state that a turn may leave its rows in, the last row that was worked on. */
const selectLast = ["done", "dead", "pending"].map((state) =>
  sql<[string], Worked>(`
    SELECT sender, seq FROM messages_in
    WHERE session = ? AND state = '${state}' AND trigger = 1 AND seq > 0 AND attempt > 0 ORDER BY seq DESC LIMIT 1`),
);

const sumBy = (column: string) =>
  sql<[number, string, string], UsageSum>(`
    SELECT ${column} AS key, count(*) AS requests, sum(status < 200 OR status > 299) AS failed,
      sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens,
      sum(cache_read_tokens) AS cacheReadTokens, sum(cache_write_tokens) AS cacheWriteTokens,
      coalesce(sum(cost_micros), 0) AS costMicros, sum(cost_micros IS NULL AND status BETWEEN 200 AND 299) AS unpriced
    FROM usage WHERE created_at >= ? AND session >= ? AND session < ? GROUP BY 1 ORDER BY costMicros DESC, inputTokens + outputTokens DESC, key`);

const sums: Record<UsageQuery["by"], ReturnType<typeof sumBy>> = {
  group: sumBy("agent_group"),
  user: sumBy("coalesce(identity, '')"),
  session: sumBy("session"),
  model: sumBy("model"),
  credential: sumBy("credential"),
};

/** @returns ids of the entries that were not there before. */
export function recordUsage(tx: Transaction, session: string, entries: readonly UsageEntry[]): readonly string[] {
  const { agent_group } = getSession(tx, session);
  const identity = whomFor(tx, session);
  const isNew = (entry: UsageEntry) =>
    tx.run(
      insertUsage,
      session,
      entry.id,
      agent_group,
      identity,
      entry.credential,
      entry.model,
      entry.status,
      entry.inputTokens,
      entry.outputTokens,
      entry.cacheReadTokens,
      entry.cacheWriteTokens,
      entry.costMicros ?? null,
      entry.durationMs,
      tx.now,
    ) > 0;
  return entries.filter(isNew).map(({ id }) => id);
}

export function usage(tx: Transaction, { namespace, by, since }: UsageQuery): readonly UsageSum[] {
  return tx.all(sums[by], since, `${namespace}/`, `${namespace}0`);
}

/** The report of a turn's last request often comes just after its end; then the last turn is meant. */
function whomFor(tx: Transaction, session: string): string | null {
  const running = tx.get(selectRunning, session);
  if (running) return running.sender;
  const last = selectLast.flatMap((statement) => tx.get(statement, session) ?? []);
  return last.sort((a, b) => b.seq - a.seq)[0]?.sender ?? null;
}
