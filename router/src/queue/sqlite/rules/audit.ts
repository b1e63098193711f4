import type { AuditRow } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";

const insertAudit = sql<[string, number, string, string, string, string]>(
  "INSERT INTO audit (id, created_at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)",
);

/** The actor of what the queue decides by its own rules. */
export const queueActor = "queue";

export function recordAudit(tx: Transaction, row: AuditRow): void {
  tx.run(insertAudit, tx.id(), tx.now, row.actor, row.action, row.subject, row.detail);
}
