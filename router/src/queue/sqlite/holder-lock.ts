import { CopepodError } from "@copepod/core/errors";
import Database from "better-sqlite3";

/** A holder that is just ending gets this long to be gone. */
const holderWaitMs = 250;

/**
 * One holder per queue: a write lock on a tiny file of its own, which the kernel drops with the process, however that
 * ends. The row beside it only says who it is.
 * @returns how to let go. @throws CopepodError databaseHeld
 */
export function holdDatabase(path: string, startedAt: number): () => void {
  const database = new Database(`${path}.holder`, { timeout: holderWaitMs });
  try {
    database.exec("CREATE TABLE IF NOT EXISTS holder (pid INTEGER NOT NULL, started_at INTEGER NOT NULL) STRICT");
    database.exec("BEGIN IMMEDIATE; DELETE FROM holder");
    database.prepare("INSERT INTO holder (pid, started_at) VALUES (?, ?)").run(process.pid, startedAt);
    // Readers see the row only once it is committed, so the lock is taken again: whoever gets it is the holder.
    database.exec("COMMIT; BEGIN IMMEDIATE");
    return () => database.close();
  } catch (error) {
    const held = isBusy(error) ? heldBy(database, path) : undefined;
    database.close();
    throw held ?? damaged(error, path) ?? error;
  }
}

function damaged(error: unknown, path: string): CopepodError | undefined {
  if (!(error instanceof Database.SqliteError) || !["SQLITE_NOTADB", "SQLITE_CORRUPT"].includes(error.code))
    return undefined;
  const message = `The lock file ${path}.holder is damaged. It holds no messages: delete it and start again.`;
  return new CopepodError("databaseDamaged", message, { cause: error });
}

function heldBy(database: Database.Database, path: string): CopepodError {
  return new CopepodError("databaseHeld", `The queue ${path} is held by another router${describe(database)}.`);
}

function describe(database: Database.Database): string {
  try {
    const select = database.prepare<[], { pid: number; started_at: number }>("SELECT pid, started_at FROM holder");
    const row = select.get();
    return row ? ` (process ${row.pid}, since ${new Date(row.started_at).toISOString()})` : "";
  } catch (error) {
    if (isBusy(error)) return "";
    throw error;
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
