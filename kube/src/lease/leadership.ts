import { CopepodError } from "@copepod/core/errors";
import { pause } from "../clock.ts";
import { isConflict, isNotFound } from "../errors.ts";
import { keyOf } from "../object.ts";
import { claimSpec, type LeaseRecord, leaseResource, readLease, releasedSpec, termOf } from "./lease-record.ts";
import type { ElectionOptions, ElectionTimes } from "./options.ts";

interface Won {
  readonly record: LeaseRecord;
  /** Monotonic ms before the write that won was sent: others count from later on. */
  readonly sentAt: number;
}

/** The time in which this process holds a Lease. It renews itself, and ends for good: whoever wants to lead again campaigns again. */
export class Leadership {
  /** Grows with each leadership of the Lease, whoever holds it. See `termOf`. */
  readonly term: string;
  readonly #options: ElectionOptions & { readonly times: ElectionTimes };
  readonly #ended = new AbortController();
  #record: LeaseRecord;
  /** Monotonic ms from which on others may hold the Lease soon. */
  #deadline: number;
  #cancelDeadline: () => void = () => undefined;
  /** Renewals come one after the other. */
  #last: Promise<void> = Promise.resolve();
  readonly #loop: Promise<void>;

  constructor(options: ElectionOptions & { readonly times: ElectionTimes }, { record, sentAt }: Won) {
    this.#options = options;
    this.#record = record;
    this.term = termOf(record);
    this.#deadline = this.#moveDeadline(sentAt);
    options.observer?.leading(true);
    options.log.info({ lease: keyOf(options.lease), term: this.term }, "leads");
    this.#loop = this.#keepRenewing();
  }

  /** Aborts when the leadership has ended, with a CopepodError `superseded` as reason. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * To be asked right before each act. Unlike the signal it does not depend on a timer, which fires late in a process that
   * stood still. @throws CopepodError `superseded`
   */
  check(): void {
    if (this.#options.clock.monotonic() >= this.#deadline) this.#end("its holder could not renew it in time");
    this.signal.throwIfAborted();
  }

  /** Asks the API server whether it still counts, by a renewal that begins now. @throws CopepodError `superseded` when not */
  async confirm(): Promise<void> {
    this.check();
    const renewal = this.#last.then(() => this.#renew());
    this.#last = renewal.catch(() => undefined);
    await renewal;
    this.check();
  }

  /** Ends it and lets others begin at once. To be called when nothing acts any more. */
  async release(): Promise<void> {
    const { client, lease, clock, log, times } = this.#options;
    // Cut off, a renewal might arrive all the same, and the release would be refused.
    await this.#last;
    const counted = !this.signal.aborted;
    await this.abandon();
    if (!counted) return;
    const target = { ...lease, resourceVersion: this.#record.resourceVersion };
    const call = { timeoutMs: times.renewDeadlineMs };
    await client
      .mergePatch(leaseResource, target, { spec: releasedSpec(clock.now()) }, call)
      .catch((err: unknown) =>
        log.warn({ err, lease: keyOf(lease) }, "the Lease was not released and runs out by itself"),
      );
  }

  /** Ends it and lets the Lease run out by itself: something may still act. */
  async abandon(): Promise<void> {
    this.#end("its holder gave it up");
    await this.#loop;
    await this.#last;
  }

  async #keepRenewing(): Promise<void> {
    const { clock, times, log, lease } = this.#options;
    for (;;) {
      await pause(clock, times.retryMs, this.signal);
      if (this.signal.aborted) return;
      await this.confirm().catch((err: unknown) => {
        if (!this.signal.aborted)
          log.warn({ err, lease: keyOf(lease) }, "the Lease was not renewed; it is tried again");
      });
    }
  }

  async #renew(): Promise<void> {
    this.check();
    try {
      await this.#write();
    } catch (error) {
      if (isNotFound(error)) return this.#end("somebody deleted the Lease");
      if (!isConflict(error)) throw error;
      await this.#readAgain();
      await this.#write();
    }
  }

  async #write(): Promise<void> {
    const { client, lease, candidate, clock, times } = this.#options;
    const { resourceVersion, transitions } = this.#record;
    const sentAt = clock.monotonic();
    const claim = { candidate, leaseMs: times.leaseMs, transitions, now: clock.now(), acquires: false };
    const written = await client.mergePatch(
      leaseResource,
      { ...lease, resourceVersion },
      { spec: claimSpec(claim) },
      this.#call(),
    );
    this.#record = readLease(written);
    this.#deadline = this.#moveDeadline(sentAt);
  }

  /** Somebody wrote the Lease: another holder; or this one, whose answer got lost; or a person who put a label on it. */
  async #readAgain(): Promise<void> {
    const { client, lease, candidate, observer } = this.#options;
    observer?.slowPath();
    const record = readLease(await client.get(leaseResource, lease, this.#call()));
    if (record.holder !== candidate || termOf(record) !== this.term) this.#end(`${record.holder || "nobody"} holds it`);
    this.signal.throwIfAborted();
    this.#record = record;
  }

  /** Half of the time at most, so that one call that hangs leaves time for another. */
  #call(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.signal, timeoutMs: this.#options.times.renewDeadlineMs / 2 };
  }

  #moveDeadline(sentAt: number): number {
    const { clock, times } = this.#options;
    const deadline = sentAt + times.renewDeadlineMs;
    this.#cancelDeadline();
    if (this.signal.aborted) return deadline;
    this.#cancelDeadline = clock.after(deadline - clock.monotonic(), () =>
      this.#end("its holder could not renew it in time"),
    );
    return deadline;
  }

  #end(why: string): void {
    if (this.signal.aborted) return;
    const { observer, log, lease } = this.#options;
    const name = keyOf(lease);
    this.#cancelDeadline();
    this.#ended.abort(new CopepodError("superseded", `The leadership by the Lease ${name} has ended: ${why}.`));
    observer?.leading(false);
    log.info({ lease: name, term: this.term, why }, "no longer leads");
  }
}
