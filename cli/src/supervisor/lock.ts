import { DatabaseSync } from "node:sqlite";
import { CopepodError } from "@copepod/core/errors";

/** SQLite's result code for "another connection holds the lock". */
const sqliteBusy = 5;

/**
 * Makes this process the only supervisor of a home. Node has no file locks of its own, SQLite has: an exclusive
 * transaction that is never ended. The kernel drops it with the process, so a killed supervisor leaves nothing to
 * clean up, and of two that start at once exactly one gets it. The file stays: removing it would let two lock
 * different files of one name.
 * @throws CopepodError `alreadyRunning`
 */
export function takeLock(path: string): Disposable {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) {
      throw new CopepodError("alreadyRunning", "a supervisor already runs for this home", { cause: error });
    }
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}
