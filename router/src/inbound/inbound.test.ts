import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inboundEventSchema } from "@copepod/core/channel-api";
import { CopepodError } from "@copepod/core/errors";
import { pino } from "pino";
import { Announcer } from "../http/announcer.ts";
import { Doorbell } from "../http/doorbell.ts";
import { RouterMetrics } from "../metrics.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { openSqliteQueue } from "../queue/sqlite/open-sqlite-queue.ts";
import { buildResources } from "../resources/testing.ts";
import { Activities } from "../sessions/activities.ts";
import { GroupLimits } from "../sessions/group-limits.ts";
import { Directory } from "./directory.ts";
import { Inbound } from "./inbound.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Reminders } from "./reminders.ts";

const log = pino({ level: "silent" });
const clock = { now: () => 1_000, monotonic: () => 0 };

const resources = buildResources([
  { kind: "AgentGroup", metadata: { name: "helper" }, spec: {} },
  {
    kind: "Channel",
    metadata: { name: "chat" },
    spec: { type: "test", defaults: { unknownSenders: "Public" }, senderRatePerMinute: 3 },
  },
  {
    kind: "Wiring",
    metadata: { name: "w" },
    spec: { channel: "chat", conversation: { kind: "Direct" }, group: "helper" },
  },
]);

const event = (key: string) =>
  inboundEventSchema.parse({
    dedupeKey: key,
    occurredAt: 0,
    conversation: { address: "c1", kind: "Direct" },
    sender: { id: "ann" },
    text: `said ${key}`,
  });

/** A real queue; `outages` makes so many commits fail as a full disk does. */
async function build() {
  const folder = await mkdtemp(join(tmpdir(), "copepod-inbound-"));
  const store = await openSqliteQueue({ path: join(folder, "queue.db"), clock, log, thread: "inline" });
  const outages = { left: 0 };
  const failing: QueueStore = {
    ...store,
    acceptBatch: async (events, cursor) => {
      if (outages.left-- > 0) throw new CopepodError("diskFull", "no room");
      return await store.acceptBatch(events, cursor);
    },
  };
  const current = { current: () => resources };
  const announcer = new Announcer(new Doorbell());
  const inbound = new Inbound({
    store: failing,
    resources: current,
    directory: new Directory(store, clock.monotonic),
    limiter: new RateLimiter(clock.monotonic),
    reminders: new Reminders(clock.monotonic),
    limits: new GroupLimits(current),
    wishes: { poke: () => {} },
    activities: new Activities(() => {}),
    announcer,
    metrics: new RouterMetrics(),
    clock,
  });
  const accept = async (events: Parameters<Inbound["accept"]>[0]["events"]) =>
    (await inbound.accept({ channel: "default/chat", events })).counts;
  const send = async (...keys: string[]) => await accept(keys.map(event));
  const dispose = async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  return { accept, send, store, outages, [Symbol.asyncDispose]: dispose };
}

describe("what a platform said", () => {
  it("becomes a row once, however often it is delivered", async () => {
    await using router = await build();
    assert.deepEqual(await router.send("1", "2"), { accepted: 2, duplicates: 0, refused: 0 });
    assert.deepEqual(await router.send("1", "2"), { accepted: 0, duplicates: 2, refused: 0 });
  });

  it("is refused above the sender's rate, told once, and leaves one row", async () => {
    await using router = await build();
    assert.deepEqual(await router.send("1", "2", "3", "4", "5"), { accepted: 3, duplicates: 0, refused: 1 });
    const dead = await router.store.listMessages({ session: "", state: "dead", kind: undefined, limit: 10 });
    assert.deepEqual(
      dead.map(({ code, text }) => [code, text]),
      [["rateLimited", ""]],
    );
  });

  it("leaves a row and a sentence when its text can't be taken", async () => {
    await using router = await build();
    const broken = { ...event("1"), text: "", unreadable: "text: too long" };
    assert.equal((await router.accept([broken])).refused, 1);
    const dead = await router.store.listMessages({ session: "", state: "dead", kind: undefined, limit: 10 });
    assert.deepEqual(
      dead.map(({ code, reason }) => [code, reason]),
      [["invalid", "Your message could not be taken: text: too long."]],
    );
  });

  it("costs the sender nothing of their rate when it could not be written, or was known", async () => {
    await using router = await build();
    router.outages.left = 5;
    for (let attempt = 0; attempt < 5; attempt++) await assert.rejects(router.send("1", "2"), { code: "diskFull" });
    assert.deepEqual(await router.send("1", "2"), { accepted: 2, duplicates: 0, refused: 0 });
    assert.deepEqual(await router.send("1", "2"), { accepted: 0, duplicates: 2, refused: 0 });
    assert.deepEqual(await router.send("3"), { accepted: 1, duplicates: 0, refused: 0 });
  });
});
