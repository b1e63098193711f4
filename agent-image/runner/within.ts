import { CopepodError } from "@copepod/core/errors";
import type { Time } from "./time.ts";

export interface Bounds {
  readonly ms: number;
  /** What is late, for a person: `<what> took longer than …`. */
  readonly what: string;
  readonly interrupt?: AbortSignal;
  readonly time: Time;
}

/**
 * The result of work that may hang. What comes after the interrupt or the time is dropped.
 * @throws the signal's reason; CopepodError `timeout`
 */
export async function within<T>(work: Promise<T>, { ms, what, interrupt, time }: Bounds): Promise<T> {
  const over = new AbortController();
  const signals = interrupt ? [over.signal, interrupt] : [over.signal];
  const late = time.sleep(ms, AbortSignal.any(signals)).then((): never => {
    interrupt?.throwIfAborted();
    throw new CopepodError("timeout", `${what} took longer than ${ms / 1_000} s`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    // Its end has no meaning any more.
    late.catch(() => undefined);
  }
}
