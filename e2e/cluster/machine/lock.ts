import { tryLock } from "@copepod/cli/supervisor/lock";
import type { Say } from "./say.ts";
import { waitFor } from "./wait.ts";

const lockTimeoutMs = 30 * 60_000;
const defaultSayAfterMs = 2_000;

export interface LockOptions {
  readonly say: Say;
  readonly signal: AbortSignal;
  /** What the lock is for, as in "busy with …". */
  readonly what: string;
  /** After how long it tells that it waits. */
  readonly sayAfterMs?: number;
}

/**
 * Waits until nobody else holds the lock.
 * @param file its folder must exist
 */
export async function takeLock(
  file: string,
  { say, signal, what, sayAfterMs = defaultSayAfterMs }: LockOptions,
): Promise<Disposable> {
  const begun = performance.now();
  let said = false;
  const look = (): Disposable | undefined => {
    const lock = tryLock(file);
    if (!lock && !said && performance.now() - begun >= sayAfterMs) {
      said = true;
      say(`waiting: another process is busy with ${what}`);
    }
    return lock;
  };
  const options = { timeoutMs: lockTimeoutMs, signal };
  return await waitFor(`the end of what another process does with ${what}`, look, options);
}
