import { DatabaseSync } from "node:sqlite";

/** SQLite's result code for "another connection holds the lock". */
const sqliteBusy = 5;

/**
 * Node has no file locks of its own, SQLite has: an exclusive transaction that is never ended. The kernel drops it with the
 * process, so a killed holder leaves nothing to clean up. Nothing is written, so a full disk is no obstacle. The file stays:
 * removing it would let two lock different files of one name.
 * @param file its folder must exist
 * @returns undefined when somebody else holds the lock
 */
export function tryLock(file: string): Disposable | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
}
