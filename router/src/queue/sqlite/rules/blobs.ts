import { CopepodError } from "@copepod/core/errors";
import type { MessageFile, Uploaded } from "@copepod/core/files";
import type { FileRoom, RowBody } from "../../queue-store.ts";
import { sentences } from "../sentences.ts";
import { sql, type Transaction } from "../transaction.ts";

/** Blobs that one call forgets: their files are removed before the next call. */
const maxBlobsPerCall = 100;

const insertBlob = sql<[string, number, number]>(
  "INSERT INTO blobs (hash, bytes, used_at) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
);

const insertUpload = sql<[string, string]>(
  "INSERT INTO blob_uploads (hash, session) VALUES (?, ?) ON CONFLICT (hash, session) DO NOTHING",
);

const touchBlob = sql<[number, string, number]>("UPDATE blobs SET used_at = ? WHERE hash = ? AND bytes = ?");

const selectUpload = sql<[string, string, number], { found: number }>(`
  SELECT 1 AS found FROM blob_uploads u JOIN blobs b ON b.hash = u.hash
  WHERE u.hash = ? AND u.session = ? AND b.bytes = ?`);

const selectSeen = sql<[string, string, string, string], { found: number }>(`
  SELECT 1 AS found FROM blob_uploads WHERE hash = ? AND session = ? UNION ALL
  SELECT 1 AS found FROM blob_references WHERE hash = ? AND session = ? LIMIT 1`);

const selectSaid = sql<[string, string, string], { found: number }>(`
  SELECT 1 AS found FROM blob_references r
  JOIN conversations c ON c.id = COALESCE(
    (SELECT conversation FROM messages_in WHERE id = r.message),
    (SELECT conversation FROM messages_out WHERE id = r.message))
  WHERE r.hash = ? AND c.served_by_router = 1 AND substr(c.address, 1, length(?)) = ? LIMIT 1`);

const sumUnsent = sql<[string], { files: number; bytes: number }>(`
  SELECT COUNT(*) AS files, COALESCE(SUM(b.bytes), 0) AS bytes FROM blob_uploads u JOIN blobs b ON b.hash = u.hash
  WHERE u.session = ? AND b.referred = 0`);

const insertReference = sql<[string, string, string]>(
  "INSERT INTO blob_references (hash, session, message) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
);

const selectBlobs = sql<[string, string], { blob: string; bytes: number }>(
  "SELECT hash AS blob, bytes FROM blobs WHERE hash >= ? AND hash < ?",
);

const deleteUnused = sql<[number, number], { blob: string; bytes: number }>(`
  DELETE FROM blobs WHERE hash IN (SELECT hash FROM blobs WHERE referred = 0 AND used_at < ? LIMIT ?)
  RETURNING hash AS blob, bytes`);

export function blobStored(tx: Transaction, { blob, bytes }: Uploaded, session: string | undefined): boolean {
  const isNew = tx.run(insertBlob, blob, bytes, tx.now) > 0;
  if (!isNew) tx.run(touchBlob, tx.now, blob, bytes);
  if (session !== undefined) tx.run(insertUpload, blob, session);
  return isNew;
}

export function useBlobs(tx: Transaction, files: readonly MessageFile[]): void {
  for (const { name, blob, bytes } of files) {
    if (tx.run(touchBlob, tx.now, blob, bytes) === 0) throw new CopepodError("invalid", sentences.notUploaded(name));
  }
}

export const maySeeBlob = (tx: Transaction, session: string, hash: string): boolean =>
  tx.get(selectSeen, hash, session, hash, session) !== undefined;

export const isBlobIn = (tx: Transaction, hash: string, addressPrefix: string): boolean =>
  tx.get(selectSaid, hash, addressPrefix, addressPrefix) !== undefined;

export const unsentBlobs = (tx: Transaction, session: string): FileRoom =>
  tx.get(sumUnsent, session) ?? { files: 0, bytes: 0 };

// "g" comes after all hex digits.
export const blobsIn = (tx: Transaction, prefix: string): readonly Uploaded[] =>
  tx.all(selectBlobs, prefix, `${prefix}g`);

export const forgetBlobs = (tx: Transaction, usedBefore: number): readonly Uploaded[] =>
  tx.all(deleteUnused, usedBefore, maxBlobsPerCall);

/** A session may only send what it has uploaded itself. @throws CopepodError `invalid` */
export function requireUploaded(tx: Transaction, session: string, files: readonly MessageFile[] = []): void {
  for (const { name, blob, bytes } of files) {
    if (!tx.get(selectUpload, blob, session, bytes)) throw new CopepodError("invalid", sentences.notUploaded(name));
  }
}

/** From now on the row keeps its files. */
export function referToFiles(
  tx: Transaction,
  { files = [] }: RowBody,
  { session, id }: { readonly session: string; readonly id: string },
): void {
  for (const { blob } of files) tx.run(insertReference, blob, session, id);
}
