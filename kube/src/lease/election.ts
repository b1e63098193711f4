import { CopepodError } from "@copepod/core/errors";
import { pause } from "../clock.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../errors.ts";
import { keyOf } from "../object.ts";
import { Leadership } from "./leadership.ts";
import { claimSpec, type LeaseRecord, leaseResource, newLease, readLease } from "./lease-record.ts";
import { defaultElectionTimes, type ElectionOptions, type ElectionTimes } from "./options.ts";

/** Candidates of one Lease spread their tries by this part of the time between them. */
const jitter = 0.2;

/**
 * Waits until this process holds the Lease. How long another holder was not heard of is measured here, by the monotonic
 * clock and since this process saw the Lease change: times that somebody else wrote are never compared.
 *
 * Leadership is a hint. A holder that is paused (SIGSTOP, a sleeping machine, a long collection of garbage) doesn't know that
 * its time has passed, and what it sent may arrive late. So it guards itself (`Leadership.check`), and what it writes goes
 * through a `Fence`, where the API server refuses what comes too late.
 * @throws the signal's reason when it aborts
 */
export async function campaign(options: ElectionOptions, signal: AbortSignal): Promise<Leadership> {
  const { clock, random, log, lease, times = defaultElectionTimes } = options;
  checkTimes(times);
  const candidate = new Candidate(options, times);
  for (;;) {
    signal.throwIfAborted();
    try {
      const leadership = await candidate.tryOnce(signal);
      if (leadership) return leadership;
    } catch (err) {
      signal.throwIfAborted();
      log.warn({ err, lease: keyOf(lease) }, "the Lease can't be read or written; it is tried again");
    }
    await pause(clock, times.retryMs * (1 + jitter * random()), signal);
  }
}

function checkTimes({ leaseMs, renewDeadlineMs, retryMs }: ElectionTimes): void {
  if (leaseMs > renewDeadlineMs && renewDeadlineMs > retryMs * (1 + jitter)) return;
  throw new CopepodError("invalid", "An election needs a lease time > renew deadline > 1.2 × retry time.");
}

class Candidate {
  readonly #options: ElectionOptions;
  readonly #times: ElectionTimes;
  /** The last record seen, and when it was first seen, in monotonic ms. */
  #seen: { readonly record: LeaseRecord; readonly at: number } | undefined;

  constructor(options: ElectionOptions, times: ElectionTimes) {
    this.#options = options;
    this.#times = times;
  }

  /** @returns undefined while somebody else holds the Lease, or was faster */
  async tryOnce(signal: AbortSignal): Promise<Leadership | undefined> {
    const record = await this.#read(signal);
    if (record && record.mark !== this.#seen?.record.mark) this.#seen = { record, at: this.#options.clock.monotonic() };
    // The rule holds for a Lease that was deleted as well: its holder may not know yet.
    if (this.#isHeld()) return undefined;
    const sentAt = this.#options.clock.monotonic();
    const won = await this.#take(record, signal);
    if (!won) return undefined;
    return new Leadership({ ...this.#options, times: this.#times }, { record: won, sentAt });
  }

  #isHeld(): boolean {
    if (!this.#seen || this.#seen.record.holder === "") return false;
    // Also under our own name: nobody but a process before this one, or one by mistake beside it, can have written that.
    // A shorter time than ours may be a person's, of which the holder knows nothing.
    const heldMs = Math.max(this.#seen.record.durationMs, this.#times.leaseMs);
    return this.#options.clock.monotonic() - this.#seen.at < heldMs;
  }

  async #read(signal: AbortSignal): Promise<LeaseRecord | undefined> {
    const { client, lease } = this.#options;
    try {
      return readLease(await client.get(leaseResource, lease, { signal, timeoutMs: this.#times.renewDeadlineMs }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #take(record: LeaseRecord | undefined, signal: AbortSignal): Promise<LeaseRecord | undefined> {
    const { client, lease, candidate, clock } = this.#options;
    const transitions = record ? record.transitions + 1 : 0;
    const claim = { candidate, leaseMs: this.#times.leaseMs, transitions, now: clock.now(), acquires: true };
    const call = { signal, timeoutMs: this.#times.renewDeadlineMs };
    try {
      const written = record
        ? await client.mergePatch(
            leaseResource,
            { ...lease, resourceVersion: record.resourceVersion },
            { spec: claimSpec(claim) },
            call,
          )
        : await client.create(leaseResource, newLease(lease, claimSpec(claim)), call);
      return readLease(written);
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }
}
