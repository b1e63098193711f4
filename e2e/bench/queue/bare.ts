import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "@copepod/router/queue/sqlite/migrations";
import { countAccepted } from "@copepod/router/queue/sqlite/rules/accept";
import { insertIn } from "@copepod/router/queue/sqlite/rules/inbox";
import { selectSession } from "@copepod/router/queue/sqlite/rules/sessions";
import Database from "better-sqlite3";

export interface BareOptions {
  readonly sessions: number;
  /** Events per commit. */
  readonly batch: number;
  readonly durationMs: number;
  readonly body: string;
}

/**
 * The reference: better-sqlite3 alone in one loop, with the same schema, pragmas and statements per event, and the same
 * number of events per commit. No HTTP, no validation, no routing, no second thread.
 * @returns events per second
 */
export function runBare({ sessions, batch, durationMs, body }: BareOptions): number {
  const folder = mkdtempSync(join(tmpdir(), "copepod-bare-"));
  const database = new Database(join(folder, "bare.db"));
  try {
    prepareDatabase(database, sessions);
    const commit = commitOf(database, body);
    const started = performance.now();
    let events = 0;
    while (performance.now() - started < durationMs) {
      commit.immediate(events, batch, sessions);
      events += batch;
    }
    return events / ((performance.now() - started) / 1_000);
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function prepareDatabase(database: Database.Database, sessions: number): void {
  database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  for (const migration of migrations) database.exec(migration);
  const insert = database.prepare(
    "INSERT INTO sessions (session, agent_group, key_kind, max_running, last_active_at) VALUES (?, 'g', 'Conversation', 1, 0)",
  );
  database.transaction(() => {
    for (let index = 0; index < sessions; index++) insert.run(`default/s${index}`);
  })();
}

function commitOf(database: Database.Database, body: string) {
  const select = database.prepare<[string], { last_seq: number }>(selectSession.text);
  const insert = database.prepare(insertIn.text);
  const update = database.prepare(countAccepted.text);
  const now = Date.now();
  return database.transaction((first: number, batch: number, sessions: number) => {
    for (let index = first; index < first + batch; index++) {
      const session = `default/s${index % sessions}`;
      const seq = (select.get(session)?.last_seq ?? 0) + 1;
      const id = String(index).padStart(26, "0");
      const key = `conversation ${index}`;
      insert.run(
        ...[id, session, key, seq, "chat", 1, "pending", now, "conversation", null, "bench:ann", "Ann", body],
        ...[null, now, null, null, null],
      );
      update.run(seq, 1, 1, 0, now, session);
    }
  });
}
