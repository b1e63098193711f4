import { workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { requireSound } from "./database.ts";

/** All pages at once: in steps, each commit between two steps would start the copy over. */
const allPages = 0x7fff_ffff;

async function copy({ from, to }: { from: string; to: string }): Promise<void> {
  const source = new Database(from, { readonly: true });
  await source.backup(to, { progress: () => allPages });
  source.close();
  const target = new Database(to);
  // A single file: a copy in WAL mode would need its companions.
  target.pragma("journal_mode = DELETE");
  requireSound(target, to);
  target.close();
}

await copy(workerData);
