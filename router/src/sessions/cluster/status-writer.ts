import { splitKey } from "@copepod/core/addresses";
import type { KubeClient } from "@copepod/kube/client/client";
import type { Clock } from "@copepod/kube/clock";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import { isConflict, isNotFound } from "@copepod/kube/errors";
import { TokenBucket } from "@copepod/kube/token-bucket";
import type { Logger } from "pino";
import type { QueueStore } from "../../queue/queue-store.ts";
import type { SessionObjects } from "./session-objects.ts";
import { type SessionSeen, sessionResource } from "./session-seen.ts";
import { type Look, lookAt, planStatus, settleMs } from "./status-plan.ts";

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
  before: Look | undefined;
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
  /** Monotonic ms. */
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
      if (known.dueAt - this.#parts.clock.monotonic() > settleMs) this.#next(session, known, settleMs);
    } else if (this.#running) this.#next(session, { before: undefined, dueAt: 0, cancel: () => {}, touched: false }, 0);
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
    if (!row || !seen) return this.#end(session);
    const look = lookAt(row);
    const writtenAt = this.#writtenAt.get(session);
    const sinceWriteMs = writtenAt === undefined ? undefined : clock.monotonic() - writtenAt;
    const plan = planStatus({ look, before: entry.before, shown: seen.shown, sinceWriteMs });
    entry.before = look;
    switch (plan.kind) {
      case "done":
        if (!entry.touched) return this.#end(session);
        return this.#next(session, entry, settleMs);
      case "lookAgain":
        return this.#next(session, entry, plan.inMs);
      case "write":
        return await this.#write(seen, entry, look);
    }
  }

  async #write({ session, uid, shown }: SessionSeen, entry: Entry, look: Look): Promise<void> {
    const { client, clock } = this.#parts;
    const waitMs = this.#bucket.take();
    if (waitMs > 0) {
      this.#bucket.giveBack();
      return this.#next(session, entry, waitMs);
    }
    const status = mergePatchOf(shown, look.wanted);
    const target = { ...splitKey(session), subresource: "status", uid };
    try {
      if (status) await client.mergePatch(sessionResource, target, { status });
    } catch (error) {
      // Gone, or made anew: the next touch looks at the one that is there then.
      if (isNotFound(error) || isConflict(error)) return this.#end(session);
      throw error;
    }
    this.#writtenAt.set(session, clock.monotonic());
    if (entry.touched) this.#next(session, entry, 0);
    else this.#end(session);
  }

  #end(session: string): void {
    this.#entries.delete(session);
  }
}
