import { setTimeout as delay } from "node:timers/promises";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { CopepodError, codeOf } from "@copepod/core/errors";

/** A router that restarts is back after a second; one that is away for so long needs a person. */
const outageTimeoutMs = 60_000;

export interface TryingDeps {
  /** In [0, 1). */
  random(): number;
  /** Whether the other side was ended on purpose. */
  hasEnded(): Promise<boolean>;
  /** Called when a call has failed for the first time. */
  onOutage(): void;
  /** Called when a call has succeeded. */
  onAnswer(): void;
}

/**
 * Repeats a call that may be repeated while the other side is not there.
 * @throws CopepodError `unavailable`, or `notRunning` when it was ended on purpose
 */
export async function keepTrying<T>(call: () => Promise<T>, deps: TryingDeps, signal: AbortSignal): Promise<T> {
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    const result = await tryOnce(call);
    if (result.ok) {
      deps.onAnswer();
      return result.value;
    }
    await assertHope(deps, performance.now() - startedAt, result.error);
    if (attempt === 1) deps.onOutage();
    await delay(backoffMs(reconnectBackoff, attempt, deps.random()), undefined, { signal });
  }
}

async function assertHope({ hasEnded }: TryingDeps, outageMs: number, cause: unknown): Promise<void> {
  if (await hasEnded()) throw new CopepodError("notRunning", "Copepod has ended", { cause });
  if (outageMs < outageTimeoutMs) return;
  throw new CopepodError("unavailable", "Copepod has not answered for a minute", { cause });
}

type Try<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** @throws whatever does not mean that the other side is away. */
async function tryOnce<T>(call: () => Promise<T>): Promise<Try<T>> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    if (codeOf(error) !== "unavailable") throw error;
    return { ok: false, error };
  }
}
