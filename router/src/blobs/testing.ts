import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { TestClock } from "../queue/contract/testing.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { openSqliteQueue } from "../queue/sqlite/open-sqlite-queue.ts";
import { BlobStore } from "./blob-store.ts";

/** A blob store beside a queue, in a folder of its own. */
export class BlobWorld implements AsyncDisposable {
  readonly folder: string;
  readonly clock: TestClock;
  readonly store: QueueStore;

  private constructor(folder: string, clock: TestClock, store: QueueStore) {
    this.folder = folder;
    this.clock = clock;
    this.store = store;
  }

  static async open(): Promise<BlobWorld> {
    const folder = await mkdtemp(join(tmpdir(), "copepod-blobs-"));
    const clock = new TestClock();
    const log = pino({ level: "silent" });
    const store = await openSqliteQueue({ path: join(folder, "queue.db"), clock, thread: "inline", log });
    return new BlobWorld(folder, clock, store);
  }

  get blobsDir(): string {
    return join(this.folder, "blobs");
  }

  /** As after a start of the router. */
  async blobs(quotaBytes?: number): Promise<BlobStore> {
    const { store, clock } = this;
    return await BlobStore.open({ folder: this.blobsDir, store, clock, ...(quotaBytes ? { quotaBytes } : {}) });
  }

  /** Paths below the folder of blobs. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.blobsDir, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true });
  }
}
