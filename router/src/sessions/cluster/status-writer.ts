import { splitKey } from "@copepod/core/addresses";
import type { KubeClient } from "@copepod/kube/client/client";
import type { Clock } from "@copepod/kube/clock";
import { isConflict, isNotFound } from "@copepod/kube/errors";
import { TokenBucket } from "@copepod/kube/token-bucket";
import type { Logger } from "pino";
import type { QueueStore } from "../../queue/queue-store.ts";
import type { SessionObjects } from "./session-objects.ts";
import { type SessionSeen, sessionResource } from "./session-seen.ts";
import { type Plan, planStatus, quietMs, settleMs } from "./status-plan.ts";

/** Of all sessions together. */
const writeRate = { perSecond: 10, burst: 10 };

export interface StatusWriterParts {
  readonly store: Pick<QueueStore, "session">;
  readonly sessions: SessionObjects;
  readonly client: Pick<KubeClient, "mergePatch">;
  readonly clock: Clock;
  readonly log: Pick<Logger, "debug">;
}

interface Entry {
  before: string | undefined;
  /** When its token is there, monotonic ms: its place in the line of those who write, which it keeps until it has written. */
  tokenAt: number | undefined;
  /** Of the next look, monotonic ms. */
  dueAt: number;
  cancel: () => void;
  /** Something has changed since the last look. */
  touched: boolean;
}

/** Shows people how sessions are doing, in the status of the Session objects; coarsely, since each write costs the cluster. */
export class StatusWriter {
  readonly #parts: StatusWriterParts;
  readonly #bucket: TokenBucket;
  readonly #entries = new Map<string, Entry>();
  /** Monotonic ms, the oldest first; those that still count. */
  readonly #writtenAt = new Map<string, number>();
  #running = false;

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket(writeRate, () => parts.clock.monotonic());
  }

  /** Something of the session may have changed. */
  touch(session: string): void {
    const known = this.#entries.get(session);
    if (known) {
      known.touched = true;
      const now = this.#parts.clock.monotonic();
      if (known.dueAt - now > settleMs) this.#next(session, known, Math.max(settleMs, (known.tokenAt ?? now) - now));
    } else if (this.#running) {
      const entry = { before: undefined, tokenAt: undefined, dueAt: 0, cancel: () => {}, touched: false };
      this.#next(session, entry, 0);
    }
  }

  /** Writes until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#running = !signal.aborted;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#running = false;
    for (const { cancel } of this.#entries.values()) cancel();
    this.#entries.clear();
  }

  #next(session: string, entry: Entry, inMs: number): void {
    if (!this.#running) return;
    this.#entries.set(session, entry);
    entry.cancel();
    entry.dueAt = this.#parts.clock.monotonic() + inMs;
    entry.cancel = this.#parts.clock.after(inMs, () => {
      this.#look(session, entry).catch((err: unknown) => {
        this.#parts.log.debug({ err, session }, "the status of a session could not be written; tried again");
        this.#next(session, entry, settleMs);
      });
    });
  }

  async #look(session: string, entry: Entry): Promise<void> {
    const { store, sessions, clock } = this.#parts;
    entry.touched = false;
    const row = await store.session(session);
    const seen = sessions.get(session);
    if (!row || !seen) return this.#end(session, entry);
    const writtenAt = this.#writtenAt.get(session);
    const sinceWriteMs = writtenAt === undefined ? undefined : clock.monotonic() - writtenAt;
    const { shown } = seen;
    const plan = planStatus({ row, before: entry.before, shown, sinceWriteMs, now: clock.now() });
    entry.before = plan.state;
    if (plan.patch) return await this.#write(seen, entry, plan);
    this.#after(session, entry, plan);
  }

  async #write({ session, uid }: SessionSeen, entry: Entry, plan: Plan): Promise<void> {
    const now = this.#parts.clock.monotonic();
    entry.tokenAt ??= now + this.#bucket.take();
    if (entry.tokenAt > now) return this.#next(session, entry, entry.tokenAt - now);
    entry.tokenAt = undefined;
    const target = { ...splitKey(session), subresource: "status", uid };
    try {
      await this.#parts.client.mergePatch(sessionResource, target, { status: plan.patch });
    } catch (error) {
      // Gone, or made anew: the next touch looks at the one that is there then.
      if (isNotFound(error) || isConflict(error)) return this.#end(session, entry);
      throw error;
    }
    this.#wrote(session);
    this.#after(session, entry, plan);
  }

  #wrote(session: string): void {
    const now = this.#parts.clock.monotonic();
    this.#writtenAt.delete(session);
    this.#writtenAt.set(session, now);
    for (const [other, at] of this.#writtenAt) {
      if (now - at < quietMs) break;
      this.#writtenAt.delete(other);
    }
  }

  #after(session: string, entry: Entry, { againInMs }: Plan): void {
    if (entry.touched) this.#next(session, entry, Math.min(settleMs, againInMs ?? settleMs));
    else if (againInMs !== undefined) this.#next(session, entry, againInMs);
    else this.#end(session, entry);
  }

  #end(session: string, entry: Entry): void {
    if (entry.tokenAt !== undefined) this.#bucket.giveBack();
    this.#entries.delete(session);
  }
}
