import { once } from "node:events";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { CopepodError } from "@copepod/core/errors";

/** Files of the queue itself, by what stands behind its name. */
const ownEndings = ["", "-wal", "-shm", "-journal", ".holder", ".holder-journal"];

/**
 * Copies the database while it is in use, to a file that is whole or not there. A thread with its own handle reads one
 * consistent state, so that the writes that go on meanwhile neither wait nor make it start over.
 * @throws CopepodError invalid when the target is the queue itself, unavailable when the copy can't be written
 */
export async function backupDatabase(path: string, target: string): Promise<{ readonly bytes: number }> {
  if (ownEndings.some((ending) => resolve(`${path}${ending}`) === resolve(target))) {
    throw new CopepodError("invalid", `The backup can't be written over the queue itself: ${target}`);
  }
  const temporary = `${target}.${process.pid}.partial`;
  try {
    await mkdir(dirname(target), { recursive: true });
    await copyInThread(path, temporary);
    const bytes = await syncFile(temporary);
    await rename(temporary, target);
    await syncFile(dirname(target));
    return { bytes };
  } catch (error) {
    // Whatever keeps the rest of the copy from being removed is the lesser trouble.
    await Promise.allSettled(["", "-wal", "-shm", "-journal"].map((end) => rm(`${temporary}${end}`, { force: true })));
    const reason = error instanceof Error ? error.message : String(error);
    throw new CopepodError("unavailable", `The backup ${target} could not be written: ${reason}`, { cause: error });
  }
}

async function copyInThread(from: string, to: string): Promise<void> {
  const worker = new Worker(new URL("./backup-thread.ts", import.meta.url), { workerData: { from, to } });
  // Rejects with what the thread throws.
  await once(worker, "exit");
}

async function syncFile(path: string): Promise<number> {
  await using file = await open(path, "r");
  await file.sync();
  return (await file.stat()).size;
}
