import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import Database from "better-sqlite3";
import { holdDatabase } from "./holder-lock.ts";
import { migrations } from "./migrations.ts";
import { outageOf } from "./sqlite-errors.ts";

/** Older ones can lose acknowledged rows when two connections checkpoint at once. */
const oldestSqlite = [3, 51, 3] as const;
/** Up to this size the whole file is checked at each start: a quarter of a second. */
const quickCheckMaxBytes = 256 * 1024 * 1024;
const busyTimeoutMs = 5_000;
const cacheKib = 64_000;
/**
 * Pages between two checkpoints (256 MiB): everybody waits for one, so they are rare, and a page that changed often is
 * written only once.
 */
const checkpointPages = 64_000;
/** The write-ahead log is cut back to this after a burst. */
const walLimitBytes = 64 * 1024 * 1024;

export interface OpenDatabase {
  readonly writer: Database.Database;
  readonly reader: Database.Database;
  close(): void;
}

/**
 * Opens, checks and migrates the queue's file.
 * @throws CopepodError databaseHeld, databaseNewer, databaseDamaged, sqliteTooOld, diskFull, unavailable
 */
export function openDatabase(path: string, now: number): OpenDatabase {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const opened: { close(): void }[] = [];
  const closeAll = () => {
    for (const each of opened.reverse()) each.close();
  };
  try {
    const letGo = holdDatabase(path, now);
    opened.push({ close: letGo });
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const writer = new Database(path, { timeout: busyTimeoutMs });
    opened.push(writer);
    prepareWriter(writer, { path, size });
    const reader = new Database(path, { readonly: true, timeout: busyTimeoutMs });
    opened.push(reader);
    reader.pragma(`cache_size = -${cacheKib}`);
    return { writer, reader, close: closeAll };
  } catch (error) {
    closeAll();
    throw outageOf(error, folder) ?? error;
  }
}

/** @throws CopepodError sqliteTooOld */
export function requireSqlite(version: string): void {
  const parts = version.split(".").map(Number);
  const difference = oldestSqlite.map((least, index) => (parts[index] ?? 0) - least).find((each) => each !== 0) ?? 0;
  if (difference >= 0) return;
  const needed = oldestSqlite.join(".");
  throw new CopepodError("sqliteTooOld", `SQLite ${version} can lose acknowledged rows; ${needed} is needed.`);
}

function prepareWriter(database: Database.Database, { path, size }: { path: string; size: number }): void {
  requireSqlite(String(database.prepare("SELECT sqlite_version()").pluck().get()));
  // Decided by the first table, so it comes before everything.
  database.pragma("auto_vacuum = INCREMENTAL");
  requireKnownVersion(database, path);
  if (size > 0 && size <= quickCheckMaxBytes) requireSound(database, path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("foreign_keys = ON");
  database.pragma(`cache_size = -${cacheKib}`);
  database.pragma(`wal_autocheckpoint = ${checkpointPages}`);
  database.pragma(`journal_size_limit = ${walLimitBytes}`);
  migrate(database);
}

function requireKnownVersion(database: Database.Database, path: string): void {
  const version = versionOf(database);
  if (version <= migrations.length) return;
  throw new CopepodError(
    "databaseNewer",
    `The queue ${path} has version ${version}; this Copepod knows versions up to ${migrations.length}.`,
  );
}

/** @throws CopepodError databaseDamaged */
export function requireSound(database: Database.Database, path: string): void {
  const finding = database.prepare<[], { quick_check: string }>("PRAGMA quick_check(1)").get()?.quick_check;
  if (finding === "ok") return;
  throw new CopepodError("databaseDamaged", `The queue ${path} fails its check: ${finding ?? "no answer"}.`);
}

function migrate(database: Database.Database): void {
  for (let version = versionOf(database); version < migrations.length; version++) {
    database.exec(`BEGIN IMMEDIATE; ${migrations[version]} PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}

const versionOf = (database: Database.Database): number => Number(database.pragma("user_version", { simple: true }));
