import { setTimeout as delay } from "node:timers/promises";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { codeOf } from "@copepod/core/errors";
import { maxUsageEntries } from "@copepod/core/limits";
import type { MailboxClient, UsageEntry } from "@copepod/core/mailbox-api";
import type { Logger } from "pino";

/** Entries that wait while the router is away; then the oldest fall out. */
const maxWaiting = 10_000;
/** Entries are gathered this long, so that a burst is one report. */
const gatherMs = 500;

export interface UsageReportDeps {
  readonly mailbox: Pick<MailboxClient, "usage">;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/** Tells the router what requests took; repeats until it has heard, since an entry counts once by its id. */
export class UsageReport {
  readonly #deps: UsageReportDeps;
  readonly #waiting: UsageEntry[] = [];
  #sending: Promise<void> | undefined;
  #lost = 0;
  /** So many of the oldest are told one by one: the router found one among them invalid, and takes all or none. */
  #suspects = 0;
  #stopGathering: (() => void) | undefined;
  readonly #ending = new AbortController();

  constructor(deps: UsageReportDeps) {
    this.#deps = deps;
  }

  record(entry: UsageEntry): void {
    this.#waiting.push(entry);
    if (this.#waiting.length > maxWaiting) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#sending ??= this.#sendAll();
    if (this.#waiting.length >= maxUsageEntries) this.#stopGathering?.();
  }

  /** Tells what is left without waiting for more. Gives up when the signal aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#ending.abort();
    await this.#sending;
    while (this.#waiting.length > 0 && !signal.aborted) {
      if (!(await this.#sendBatch(signal)))
        await delay(reconnectBackoff.firstMs, undefined, { signal }).catch(() => undefined);
    }
    if (this.#waiting.length > 0) this.#deps.log.warn({ entries: this.#waiting.length }, "usage not reported");
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#ending;
    await this.#gather(signal);
    for (let failures = 0; this.#waiting.length > 0 && !signal.aborted; ) {
      if (await this.#sendBatch(signal)) failures = 0;
      else {
        const pauseMs = backoffMs(reconnectBackoff, ++failures, this.#deps.random());
        await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    this.#sending = undefined;
  }

  /** Waits for more, until there is enough for a report. */
  async #gather(signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    this.#stopGathering = () => enough.abort();
    const either = AbortSignal.any([signal, enough.signal]);
    await delay(gatherMs, undefined, { signal: either, ref: false }).catch(() => undefined);
    this.#stopGathering = undefined;
  }

  async #sendBatch(signal: AbortSignal): Promise<boolean> {
    const entries = this.#waiting.splice(0, this.#suspects > 0 ? 1 : maxUsageEntries);
    try {
      await this.#deps.mailbox.usage({ entries }, { signal });
    } catch (error) {
      if (!this.#letGo(entries, codeOf(error))) return false;
    }
    this.#suspects = Math.max(0, this.#suspects - 1);
    if (this.#lost > 0) this.#deps.log.warn({ entries: this.#lost }, "usage was lost while the router was away");
    this.#lost = 0;
    return true;
  }

  /** @returns whether the entries are done with: asking again would not change what the router thinks of a single one. */
  #letGo(entries: readonly UsageEntry[], code: string): boolean {
    const isInvalid = code === "invalid";
    const isLetGo = isInvalid && entries.length === 1;
    this.#deps.log[isLetGo ? "warn" : "debug"]({ code, entries: entries.length }, "usage not reported");
    if (isLetGo) return true;
    this.#waiting.unshift(...entries);
    if (isInvalid) this.#suspects = entries.length;
    return false;
  }
}
