import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AcceptRow, Conversation, Holder, QueueStore } from "@copepod/router/queue/queue-store";
import { openSqliteQueue } from "@copepod/router/queue/sqlite/open-sqlite-queue";
import { pino } from "pino";

/** Rows per session of the ballast: below the bound of a lane. */
const rowsPerSession = 900;
const rowsPerBatch = 500;
const holder = (session: string): Holder => ({
  session,
  epoch: 1,
  podUid: `pod of ${session}`,
  instance: "bench-instance",
});

/** A queue on disk, as the router opens it, for claim times. */
export class ClaimBench implements AsyncDisposable {
  readonly #store: QueueStore;
  readonly #folder: string;
  readonly #conversation: Conversation;
  #ballast = 0;
  #keys = 0;

  private constructor(store: QueueStore, folder: string, conversation: Conversation) {
    this.#store = store;
    this.#folder = folder;
    this.#conversation = conversation;
  }

  static async open(): Promise<ClaimBench> {
    const folder = await mkdtemp(join(tmpdir(), "copepod-claims-"));
    const clock = { now: Date.now, monotonic: () => performance.now() };
    const log = pino({ level: "silent" });
    const store = await openSqliteQueue({ path: join(folder, "queue.db"), clock, thread: "worker", log });
    const chat = { namespace: "default", channel: "bench", address: "c", name: "c", isGroup: false };
    return new ClaimBench(store, folder, await store.introduce({ ...chat, servedByRouter: true }, undefined));
  }

  /** Fills other sessions with open rows until there are as many. */
  async growTo(rows: number): Promise<void> {
    while (this.#ballast < rows) {
      const count = Math.min(rowsPerBatch, rows - this.#ballast);
      const batch = Array.from({ length: count }, (_, index) => ({
        rows: [this.#row(`default/ballast-${Math.floor((this.#ballast + index) / rowsPerSession)}`)],
        refused: [],
      }));
      await this.#store.acceptBatch(batch, undefined);
      this.#ballast += count;
    }
  }

  /** One message in, claimed and finished, again and again in one session. @returns claim times in ms, unsorted */
  async claimTimes(session: string, count: number): Promise<number[]> {
    const times: number[] = [];
    await this.#wake(session);
    for (let index = 0; index < count; index++) {
      if (index > 0) await this.#store.accept({ rows: [this.#row(session)], refused: [] });
      const started = performance.now();
      const taken = await this.#store.take(holder(session), { held: [], limit: 10 });
      times.push(performance.now() - started);
      await this.#finish(session, taken.messages[0]?.seq);
    }
    return times;
  }

  /** Claims and finishes per second over several sessions at once. */
  async claimsPerSecond(sessions: number, durationMs: number): Promise<number> {
    const deadline = performance.now() + durationMs;
    const started = performance.now();
    const loop = async (session: string) => {
      let claims = 0;
      while (performance.now() < deadline) claims += (await this.claimTimes(session, 20)).length;
      return claims;
    };
    const counts = await Promise.all(Array.from({ length: sessions }, (_, index) => loop(`default/claim-${index}`)));
    return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #wake(session: string): Promise<void> {
    await this.#store.accept({ rows: [this.#row(session)], refused: [] });
    const wish = await this.#store.wish(session);
    if (!wish) throw new Error("the session was not made");
    await this.#store.observePod({ session, epoch: wish.epoch, podUid: holder(session).podUid });
    await this.#store.hello(holder(session));
  }

  async #finish(session: string, seq: number | undefined): Promise<void> {
    if (seq === undefined) throw new Error("nothing was claimed");
    const input = { turn: seq, consumed: [seq], messages: [], cancelled: false, notice: undefined };
    await this.#store.finish(holder(session), input);
  }

  #row(session: string): AcceptRow {
    this.#keys += 1;
    const conversation = this.#conversation.id;
    return {
      session: {
        session,
        group: "default/g",
        keyKind: "Conversation",
        conversation,
        thread: undefined,
        maxRunning: Number.MAX_SAFE_INTEGER,
      },
      kind: "chat",
      dedupeKey: `key ${this.#keys}`,
      trigger: true,
      due: 0,
      replyTo: { conversation, thread: undefined },
      destinationName: "c",
      sender: { identity: "bench:ann", name: "Ann" },
      body: { text: "x".repeat(200) },
      trace: undefined,
    };
  }
}
