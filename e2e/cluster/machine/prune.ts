import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Long enough for somebody who goes back and forth between two versions. */
const keptMs = 30 * 24 * 60 * 60_000;

export interface PruneOptions {
  /** Names of what was made of other versions, or only begun. */
  readonly pattern: RegExp;
  readonly keep: string;
}

/** Removes from a cache what was made long ago. The caller holds the lock of whoever makes it. */
export async function prune(cache: string, { pattern, keep }: PruneOptions): Promise<void> {
  const oldest = Date.now() - keptMs;
  for (const name of await readdir(cache)) {
    if (name === keep || !pattern.test(name)) continue;
    const path = join(cache, name);
    if ((await stat(path)).mtimeMs < oldest) await rm(path, { recursive: true, force: true });
  }
}
