import { CopepodError } from "@copepod/core/errors";
import type { Conversation, ConversationInput, IdentityInput } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";
import { findConversation } from "./outbox.ts";
import type { ConversationRecord } from "./records.ts";

/** Conversations that one person may have on a channel that the router serves. */
const maxOwnConversations = 1_000;
/** "Last seen" is no more exact than this, so that most messages write nothing here. */
const seenPrecisionMs = 60_000;

const selectByAddress = sql<[string, string, string], ConversationRecord>(
  "SELECT * FROM conversations WHERE namespace = ? AND channel = ? AND address = ?",
);

const insertConversation = sql<[string, string, string, string, string | null, number, number, number]>(`
  INSERT INTO conversations (id, namespace, channel, address, name, is_group, served_by_router, last_seen_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);

const updateConversation = sql<[string | null, number, number, number, string]>(`
  UPDATE conversations SET name = ?, is_group = ?, served_by_router = ?, last_seen_at = ? WHERE id = ?`);

const countOwned = sql<[string, string, string, string], { count: number }>(`
  SELECT count(*) AS count FROM conversations WHERE namespace = ? AND channel = ? AND address >= ? AND address < ?`);

const selectIdentity = sql<[string], { display_name: string | null; last_seen_at: number }>(
  "SELECT display_name, last_seen_at FROM identities WHERE id = ?",
);

const upsertIdentity = sql<[string, string | null, number]>(`
  INSERT INTO identities (id, display_name, last_seen_at) VALUES (?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, last_seen_at = excluded.last_seen_at`);

export function introduce(
  tx: Transaction,
  input: ConversationInput,
  identity: IdentityInput | undefined,
): Conversation {
  if (identity) introduceIdentity(tx, identity);
  const known = tx.get(selectByAddress, input.namespace, input.channel, input.address);
  const id = known?.id ?? tx.id();
  const name = input.name ?? known?.name ?? null;
  const isGroup = input.isGroup ? 1 : 0;
  const served = input.servedByRouter ? 1 : 0;
  if (!known) {
    boundOwned(tx, input);
    tx.run(insertConversation, id, input.namespace, input.channel, input.address, name, isGroup, served, tx.now);
  } else if (
    known.name !== name ||
    known.is_group !== isGroup ||
    known.served_by_router !== served ||
    !wasSeen(tx, known.last_seen_at)
  ) {
    tx.run(updateConversation, name, isGroup, served, tx.now, id);
  }
  const { owner: _, ...place } = input;
  return { ...place, id, name: name ?? undefined };
}

function boundOwned(tx: Transaction, { namespace, channel, owner }: ConversationInput): void {
  if (owner === undefined) return;
  // "0" comes after the slash.
  const owned = tx.get(countOwned, namespace, channel, `${owner}/`, `${owner}0`);
  if ((owned?.count ?? 0) < maxOwnConversations) return;
  throw new CopepodError("forbidden", sentences.tooManyConversations(maxOwnConversations));
}

export function conversation(tx: Transaction, id: string): Conversation | undefined {
  const row = findConversation(tx, id);
  return (
    row && {
      id,
      namespace: row.namespace,
      channel: row.channel,
      address: row.address,
      name: row.name ?? undefined,
      isGroup: row.is_group === 1,
      servedByRouter: row.served_by_router === 1,
    }
  );
}

function introduceIdentity(tx: Transaction, { id, displayName }: IdentityInput): void {
  const known = tx.get(selectIdentity, id);
  const name = displayName ?? known?.display_name ?? null;
  if (!known || known.display_name !== name || !wasSeen(tx, known.last_seen_at)) {
    tx.run(upsertIdentity, id, name, tx.now);
  }
}

/** Also false when the clock went back. */
const wasSeen = (tx: Transaction, lastSeenAt: number): boolean => Math.abs(tx.now - lastSeenAt) < seenPrecisionMs;
