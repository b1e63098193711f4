import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionRow } from "@copepod/core/admin-api";
import { pino } from "pino";
import { quietMs, settleMs, waitingMs } from "./status-plan.ts";
import { StatusWriter } from "./status-writer.ts";
import { SessionsWorld } from "./testing.ts";

class StatusWorld extends SessionsWorld {
  readonly rows = new Map<string, SessionRow>();
  readonly ending = new AbortController();
  readonly writer: StatusWriter;
  readonly running: Promise<void>;
  /** Of the queue. */
  reads = 0;

  constructor(names: readonly string[] = ["s"]) {
    super();
    const store = {
      session: async (session: string) => {
        this.reads += 1;
        return this.rows.get(session);
      },
    };
    const { sessions, clock } = this;
    this.writer = new StatusWriter({ store, sessions, client: this, clock, log: pino({ level: "silent" }) });
    for (const name of names) {
      const spec = { group: "g", wake: { wanted: true, epoch: 1 } };
      const metadata = { namespace: "agents", name, uid: name, resourceVersion: "0" };
      this.objects.set(`agents/${name}`, { metadata, spec });
      this.rows.set(`agents/${name}`, {
        ...{ namespace: "agents", name, group: "g", phase: "Asleep", epoch: 1, pending: 0, lastActiveAt: 0 },
      });
    }
    this.watch();
    this.running = this.writer.run(this.ending.signal);
  }

  /** The row changes, and the watch has told what was written by now. */
  change(fields: Partial<SessionRow>, name = "s"): void {
    const row = this.rows.get(`agents/${name}`);
    if (row) this.rows.set(`agents/${name}`, { ...row, lastActiveAt: this.clock.now(), ...fields });
    this.writer.touch(`agents/${name}`);
  }

  async elapse(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.elapse(100, 50);
      this.watch();
    }
  }

  /** Since the last time that was asked. */
  writes(): number {
    return this.calls.splice(0).filter((call) => call.endsWith("status")).length;
  }

  async end(): Promise<void> {
    this.ending.abort();
    await this.running;
    assert.equal(this.clock.timers, 0, "no timer is left");
  }
}

describe("the status that people see", () => {
  it("costs one write for a wake, a short turn and the sleep after it", async () => {
    const world = new StatusWorld();
    world.change({ pending: 1, oldestPendingAt: world.clock.now(), phase: "Waking" });
    await world.elapse(1_300);
    world.change({ pending: 0, oldestPendingAt: undefined, phase: "Awake" });
    await world.elapse(20_000);
    world.change({ phase: "Asleep", lastActiveAt: world.rows.get("agents/s")?.lastActiveAt ?? 0 });
    await world.elapse(2 * quietMs);
    assert.equal(world.writes(), 1);
    await world.end();
  });

  it("costs nothing more for the sake of the time, in wake after wake that is over soon", async () => {
    const world = new StatusWorld();
    const sleeps: number[] = [];
    for (let wake = 0; wake < 30; wake++) {
      world.change({ pending: 1, oldestPendingAt: world.clock.now(), phase: "Waking" });
      await world.elapse(1_500);
      world.change({ pending: 0, oldestPendingAt: undefined, phase: "Awake" });
      await world.elapse(1_500);
      world.writes();
      world.change({ phase: "Asleep", lastActiveAt: world.clock.now() - 1_500 });
      await world.elapse(7_000);
      sleeps.push(world.writes());
    }
    assert.deepEqual(sleeps, Array(30).fill(0));
    const lastActiveAt = world.cache.get("agents/s")?.shown.lastActiveAt ?? "";
    assert.ok(world.clock.now() - Date.parse(lastActiveAt) < 2 * quietMs, `${lastActiveAt} is shown`);
    await world.end();
  });

  it("shows rows that wait, and that they are gone", async () => {
    const world = new StatusWorld();
    const shown = () => world.cache.get("agents/s")?.shown;
    world.change({ pending: 3, oldestPendingAt: world.clock.now() });
    await world.elapse(waitingMs + settleMs + 500);
    assert.deepEqual([shown()?.pending, shown()?.oldestPendingAt], [3, "2030-01-01T00:00:00Z"]);
    world.change({ pending: 0, oldestPendingAt: undefined });
    await world.elapse(settleMs + 500);
    assert.deepEqual([shown()?.pending, shown()?.oldestPendingAt], [0, undefined]);
    assert.equal(world.writes(), 3, "the first of them of the first activity");
    await world.end();
  });

  it("is written once a minute at most while only figures change, and at once for what is urgent", async () => {
    const world = new StatusWorld();
    const oldestPendingAt = world.clock.now();
    for (let pending = 1; pending <= 100; pending++) {
      world.change({ pending, oldestPendingAt });
      await world.elapse(1_000);
    }
    assert.equal(world.writes(), 3, "at first, when they wait, and when a minute is over");
    world.change({ pending: 100, oldestPendingAt, reason: "Full." });
    await world.elapse(2 * settleMs + 500);
    assert.equal(world.writes(), 1);
    await world.end();
  });

  it("is written ten times a second at most, whoever waits, and the queue is not asked again and again", async () => {
    const names = Array.from({ length: 50 }, (_, at) => `s${at}`);
    const world = new StatusWorld(names);
    for (const name of names) world.change({ reason: "Full." }, name);
    await world.elapse(settleMs + 1_000);
    const first = world.writes();
    assert.ok(first <= 21, `${first} in a second, the burst with it`);
    for (const name of names) world.change({ reason: "Full." }, name);
    await world.elapse(5_000);
    assert.equal(first + world.writes(), names.length);
    assert.ok(world.reads <= 5 * names.length, `${world.reads} reads for ${names.length} sessions`);
    await world.end();
  });

  it("is not written for a session that is gone, and is tried again after an outage", async () => {
    const world = new StatusWorld();
    world.objects.delete("agents/s");
    world.change({ pending: 1, oldestPendingAt: world.clock.now() });
    await world.elapse(10_000);
    assert.equal(world.writes(), 0, "the cache knows");
    const other = new StatusWorld();
    const { mergePatch } = other;
    Object.assign(other, { mergePatch: async () => assert.fail("no answer") });
    other.change({ pending: 1, oldestPendingAt: other.clock.now() });
    await other.elapse(5_000);
    Object.assign(other, { mergePatch });
    await other.elapse(5_000);
    assert.equal(other.writes(), 1);
    await Promise.all([world.end(), other.end()]);
  });
});
