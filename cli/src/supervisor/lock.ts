import { DatabaseSync } from "node:sqlite";
import { CopepodError } from "@copepod/core/errors";

/** SQLite's result code for "another connection holds the lock". */
const sqliteBusy = 5;

/**
 * Makes this process the only supervisor of a home: of two that start at once exactly one gets the lock.
 * @throws CopepodError `alreadyRunning`
 */
export function takeLock(path: string): Disposable {
  const lock = tryLock(path);
  if (lock) return lock;
  throw new CopepodError("alreadyRunning", "a supervisor already runs for this home");
}

/**
 * Node has no file locks of its own, SQLite has: an exclusive transaction that is never ended. The kernel drops it with the
 * process, so a killed holder leaves nothing to clean up. Nothing is written, so a full disk is no obstacle. The file stays:
 * removing it would let two lock different files of one name.
 * @param path of a file in a folder that exists
 * @returns undefined when somebody else holds the lock
 */
export function tryLock(path: string): Disposable | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
}
