import { sql, type Transaction } from "../transaction.ts";
import { tell } from "./outbox.ts";

const selectAskers = sql<[string], { conversation: string; thread: string | null }>(`
  SELECT DISTINCT conversation, thread FROM messages_in
  WHERE session = ? AND state = 'pending' AND seq > 0 AND trigger = 1`);

/** Does anybody wait for the session's answer? */
export const hasAskers = (tx: Transaction, session: string): boolean => tx.get(selectAskers, session) !== undefined;

/** Tells all who wait for the session's answer. */
export function tellAskers(tx: Transaction, session: string, told: { readonly key: string; readonly text: string }) {
  for (const asker of tx.all(selectAskers, session)) tell(tx, asker, told);
}
