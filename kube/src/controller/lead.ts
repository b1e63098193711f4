import type { Leadership } from "../lease/leadership.ts";
import type { Controller } from "./controller.ts";

export interface LeadOptions {
  /** Resolves once this process leads. */
  readonly campaign: (signal: AbortSignal) => Promise<Leadership>;
  /** What runs while it leads. What they write goes through a fence of this leadership. */
  readonly begin: (leadership: Leadership) => readonly Pick<Controller, "run">[];
  /** What runs at the stop is aborted after this time. */
  readonly drainMs: number;
}

/**
 * Leads once: campaigns, runs the controllers, and ends in the order that is safe. After `stop` (readiness looks at the same
 * signal and is false at once) nothing is taken in, what runs may end within its time, and only when nothing acts any more is
 * the Lease released, so that the next leader begins at once. If something still acts, the Lease runs out by itself.
 * @throws CopepodError `superseded` when the leadership is lost; the program then exits and starts anew. The reason of `stop`
 *   when it comes before this process leads
 */
export async function lead({ campaign, begin, drainMs }: LeadOptions, stop: AbortSignal): Promise<void> {
  const leadership = await campaign(stop);
  const lost = leadership.signal;
  let drained = false;
  try {
    const ended = await Promise.all(begin(leadership).map((controller) => controller.run({ stop, lost, drainMs })));
    lost.throwIfAborted();
    drained = ended.every(Boolean);
  } finally {
    if (drained) await leadership.release();
    else await leadership.abandon();
  }
}
