import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { queueStoreContract } from "../contract/queue-store.contract.ts";
import type { QueueUnderTest, TestClock } from "../contract/testing.ts";
import type { QueueStore } from "../queue-store.ts";
import { openSqliteQueue } from "./open-sqlite-queue.ts";

const log = { info() {}, error() {} };

async function openIn(thread: "inline" | "worker", clock: TestClock): Promise<QueueUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "copepod-queue-"));
  const path = join(folder, "queue.db");
  const open = (): Promise<QueueStore> => openSqliteQueue({ path, clock, thread, log });
  let store = await open();
  return {
    store,
    reopen: async () => {
      await store[Symbol.asyncDispose]();
      store = await open();
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

for (const thread of ["inline", "worker"] as const) {
  describe(`the SQLite queue, ${thread}`, { concurrency: 4 }, () => {
    queueStoreContract((clock) => openIn(thread, clock));
  });
}
