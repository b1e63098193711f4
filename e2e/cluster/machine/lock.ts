import { DatabaseSync } from "node:sqlite";
import type { Say } from "./say.ts";
import { waitFor } from "./wait.ts";

const lockTimeoutMs = 30 * 60_000;
const defaultSayAfterMs = 2_000;
const sqliteBusy = 5;

export interface LockOptions {
  readonly say: Say;
  readonly signal: AbortSignal;
  /** What the lock is for, as in "busy with …". */
  readonly what: string;
  /** After how long it tells that it waits. */
  readonly sayAfterMs?: number;
}

/**
 * Waits until nobody else holds the lock. Node has no file locks of its own, SQLite has: the kernel drops them with the
 * process, so a killed holder leaves nothing to clean up. The file stays, or two could lock different files of one name.
 * @param file its folder must exist
 */
export async function takeLock(
  file: string,
  { say, signal, what, sayAfterMs = defaultSayAfterMs }: LockOptions,
): Promise<Disposable> {
  const database = new DatabaseSync(file, { timeout: 0 });
  const begun = performance.now();
  let said = false;
  const look = (): boolean => {
    if (begin(database)) return true;
    if (!said && performance.now() - begun >= sayAfterMs) {
      said = true;
      say(`waiting: another process is busy with ${what}`);
    }
    return false;
  };
  try {
    await waitFor(`the end of what another process does with ${what}`, look, { timeoutMs: lockTimeoutMs, signal });
  } catch (error) {
    database.close();
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

function begin(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}
