import type { Reflectors } from "../cache/reflectors.ts";
import type { Leadership } from "../lease/leadership.ts";
import type { Controller } from "./controller.ts";

export interface LeadOptions {
  /** Run from the start, so that they are full when this process leads, and until nothing acts any more. */
  readonly reflectors: Pick<Reflectors, "run">;
  /** Resolves once this process leads. */
  readonly campaign: (signal: AbortSignal) => Promise<Leadership>;
  /** Makes what runs while it leads. What that writes goes through a fence of this leadership. */
  readonly begin: (leadership: Leadership) => readonly Pick<Controller, "run">[];
  /** What runs at the stop is aborted after this time. */
  readonly drainMs: number;
}

/**
 * The life of a program that leads: follows the API server, campaigns, runs the controllers, and ends in the order that is
 * safe. After `stop` (readiness looks at the same signal and is false at once) nothing is taken in, what runs may end within
 * its time, with its caches, and only when nothing acts any more is the Lease released, so that the next leader begins at
 * once. If something still acts, the Lease runs out by itself. Then the caches end; the client is for the caller to close.
 * @returns resolves after a stop, also when it comes before this process leads
 * @throws CopepodError `superseded` when the leadership is lost, or what a controller throws; the program then exits and
 *   starts anew
 */
export async function lead({ reflectors, ...options }: LeadOptions, stop: AbortSignal): Promise<void> {
  const end = new AbortController();
  const following = reflectors.run(end.signal);
  try {
    await leadOnce(options, stop);
  } finally {
    end.abort(stop.reason);
    await following;
  }
}

async function leadOnce({ campaign, begin, drainMs }: Omit<LeadOptions, "reflectors">, stop: AbortSignal) {
  const leadership = await campaign(stop).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
  if (!leadership) return;
  const lost = leadership.signal;
  // One that fails stops the others: nothing may act any more once this has ended.
  const failed = new AbortController();
  const ends = { stop: AbortSignal.any([stop, failed.signal]), lost, drainMs };
  let drained = false;
  try {
    const runs = begin(leadership).map(async (controller) => await controller.run(ends));
    for (const run of runs) run.catch((error: unknown) => failed.abort(error));
    const ended = await Promise.allSettled(runs);
    lost.throwIfAborted();
    failed.signal.throwIfAborted();
    drained = ended.every((run) => run.status === "fulfilled" && run.value);
  } finally {
    if (drained) await leadership.release();
    else await leadership.abandon();
  }
}
