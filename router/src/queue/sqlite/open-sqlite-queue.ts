import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "pino";
import type { Clock, QueueStore } from "../queue-store.ts";
import { Batcher } from "./batcher.ts";
import { createInlineExecutor, startThreadExecutor } from "./executors.ts";
import { createFacade } from "./facade.ts";
import { refuseNetworkFileSystem, type StatFs } from "./file-system.ts";
import type { FaultHook } from "./transaction.ts";

interface CommonOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "error">;
  /** Tells the type of the file system; for tests. */
  readonly statfs?: StatFs;
}

export type QueueOptions = CommonOptions &
  (
    | { readonly thread: "worker" }
    /** In the caller's thread: for tests, with their own randomness and crashes. */
    | { readonly thread: "inline"; readonly random?: () => number; readonly fault?: FaultHook }
  );

/**
 * The durable queue on SQLite. Missing folders and files are made.
 * @throws CopepodError networkFileSystem, databaseHeld, databaseNewer, databaseDamaged, sqliteTooOld, diskFull
 */
export async function openSqliteQueue(options: QueueOptions): Promise<QueueStore> {
  const { path, clock, log } = options;
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseNetworkFileSystem(folder, options.statfs ? { stat: options.statfs } : {});
  const at = { path, now: clock.now(), monotonic: clock.monotonic() };
  const executor =
    options.thread === "worker" ? await startThreadExecutor(at, log) : createInlineExecutor({ ...options, ...at });
  log.info({ path }, "queue is open");
  return createFacade(new Batcher(executor, clock), path);
}
