import { CopepodError } from "@copepod/core/errors";
import { tryLock } from "@copepod/core/lock";

/**
 * Makes this process the only supervisor of a home: of two that start at once exactly one gets the lock.
 * @throws CopepodError `alreadyRunning`
 */
export function takeLock(path: string): Disposable {
  const lock = tryLock(path);
  if (lock) return lock;
  throw new CopepodError("alreadyRunning", "a supervisor already runs for this home");
}
