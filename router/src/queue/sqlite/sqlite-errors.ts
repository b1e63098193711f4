import { statfsSync } from "node:fs";
import { CopepodError } from "@copepod/core/errors";
import Database from "better-sqlite3";

/** Below this much room an I/O error is taken for a full disk: SQLite can't always tell which it was. */
const almostNoRoomBytes = 64 * 1024;

/** What a fault of SQLite means for the caller; undefined = a fault of ours. */
export function outageOf(error: unknown, folder: string): CopepodError | undefined {
  if (!(error instanceof Database.SqliteError)) return undefined;
  const { code } = error;
  const is = (...families: string[]) => families.some((family) => code === family || code.startsWith(`${family}_`));
  if (is("SQLITE_FULL") || (is("SQLITE_IOERR", "SQLITE_CANTOPEN") && hasNoRoom(folder))) {
    return new CopepodError("diskFull", `The disk that holds ${folder} is full. Nothing was changed.`, {
      cause: error,
    });
  }
  if (is("SQLITE_CORRUPT", "SQLITE_NOTADB")) {
    return new CopepodError("databaseDamaged", `The queue database in ${folder} is damaged: ${error.message}.`, {
      cause: error,
    });
  }
  if (is("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PERM")) {
    const message = `The queue database in ${folder} can't be used now: ${error.message} (${code}). Nothing was changed.`;
    return new CopepodError("unavailable", message, { cause: error });
  }
  return undefined;
}

function hasNoRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < almostNoRoomBytes;
  } catch {
    return false;
  }
}
