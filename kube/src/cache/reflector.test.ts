import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WatchEvent, WatchOptions } from "../client/client.ts";
import type { Resource } from "../object.ts";
import { TestClock } from "../testing/clock.ts";
import { Reflector } from "./reflector.ts";
import { Rig } from "./testing/rig.ts";
import { expired, refused, unavailable, widgets } from "./testing/server.ts";

const noChange = new Error("cut");

describe("a reflector", () => {
  it("lists page by page, then follows, and asks for all that a watch needs", async () => {
    await using rig = new Rig({ namespace: "default", labelSelector: "a=b" });
    for (const name of ["a", "b", "c", "d", "e"]) rig.server.put(name);
    rig.server.onPage = () => assert.equal(rig.cache.size, 0, "a list that is not complete must not be seen");
    await rig.follow();
    assert.equal(rig.cache.synced, true);
    rig.assertEqual();
    rig.server.put("f");
    rig.server.put("a", { spec: 1 });
    rig.server.remove("b");
    await rig.untilEqual();
    assert.equal(rig.server.lists, 1);
    const { timeoutSeconds, inactivityMs, labelSelector, namespace, resourceVersion } =
      rig.server.watchOptions[0] ?? {};
    assert.deepEqual(
      { timeoutSeconds, inactivityMs, labelSelector, namespace, resourceVersion },
      { timeoutSeconds: 450, inactivityMs: 90_000, labelSelector: "a=b", namespace: "default", resourceVersion: "5" },
    );
  });

  it("watches again at once after a watch that ended in good order, from the last event or bookmark", async () => {
    await using rig = new Rig();
    rig.server.put("a");
    await rig.follow();
    rig.server.put("b");
    await rig.untilEqual();
    rig.clock.pass(2_000);
    rig.server.endWatches();
    await rig.watching(2);
    rig.clock.pass(2_000);
    rig.server.writeElsewhere();
    rig.server.bookmark();
    await rig.turns();
    rig.server.endWatches();
    await rig.watching(3);
    assert.deepEqual(
      rig.server.watchOptions.map(({ resourceVersion }) => resourceVersion),
      ["1", "2", "3"],
    );
    assert.deepEqual(rig.logged, []);
  });

  it("goes on after a cut without a list, and misses nothing", async () => {
    await using rig = new Rig();
    rig.server.put("a");
    await rig.follow();
    rig.server.endWatches({ error: noChange });
    rig.server.put("b");
    rig.server.remove("a");
    await rig.untilEqual(10);
    assert.equal(rig.server.lists, 1);
    assert.deepEqual(rig.logged, ["warn: following the API server failed", "info: following the API server again"]);
  });

  it("lists once after a 410, tells only what changed, and says what was deleted meanwhile", async () => {
    await using rig = new Rig();
    for (const name of ["a", "b", "c", "d", "e"]) rig.server.put(name);
    await rig.follow();
    const kept = rig.cache.get("default/a");
    rig.changes.length = 0;
    rig.server.remove("b");
    rig.server.put("c", { spec: "new" });
    rig.server.put("f");
    rig.server.remove("e");
    rig.server.put("e", { metadata: { uid: "another" } });
    rig.server.compact();
    // The events above never arrive.
    rig.server.endWatches({ error: expired() });
    await rig.watching(2, 1);
    assert.equal(rig.server.lists, 2);
    rig.assertEqual();
    assert.equal(rig.cache.get("default/a"), kept, "what did not change stays the object it was");
    assert.deepEqual(rig.changes.map(([key]) => key).sort(), ["default/b", "default/c", "default/e", "default/f"]);
  });

  it("is in no hurry when every list is answered with a 410", async () => {
    await using rig = new Rig();
    rig.random = 0.999;
    rig.server.put("a");
    for (let n = 0; n < 8; n++) rig.server.failures.push(expired());
    rig.run();
    await rig.until("the list that works", () => rig.cache.synced, 100);
    assert.ok(rig.clock.monotonic() > 60_000, String(rig.clock.monotonic()));
    assert.equal(rig.server.lists, 9);
  });

  it("waits longer and longer while the server fails, and starts anew after an event", async () => {
    await using rig = new Rig();
    rig.random = 0.999_999;
    rig.server.put("a");
    await rig.follow();
    for (let n = 0; n < 8; n++) rig.server.failures.push(unavailable());
    rig.server.endWatches({ error: unavailable() });
    rig.server.put("b");
    await rig.untilEqual(20);
    // 0.8 + 1.6 + 3.2 + 6 · 5
    assert.ok(Math.abs(rig.clock.monotonic() - 35_600) < 1_000, String(rig.clock.monotonic()));
    rig.clock.pass(1_000);
    const before = rig.clock.monotonic();
    rig.server.endWatches({ error: unavailable() });
    await rig.watching(11, 10);
    assert.ok(rig.clock.monotonic() - before <= 820);
    assert.equal(rig.server.lists, 1);
    assert.equal(rig.logged.filter((line) => line.startsWith("warn")).length, 2);
  });

  it("finds a server that starts again within a second, however long it was gone, without a list", async () => {
    await using rig = new Rig();
    rig.random = 0.999_999;
    rig.server.put("a");
    await rig.follow();
    for (let n = 0; n < 1_000; n++) rig.server.failures.push(refused());
    for (let n = 0; n < 3; n++) rig.server.failures.push(unavailable());
    rig.server.endWatches({ error: noChange });
    rig.server.put("b");
    await rig.until("the last failure of a start", () => rig.server.failures.length === 0, 10);
    assert.ok(rig.clock.monotonic() > 200_000, "the server was away for minutes");
    const before = rig.clock.monotonic();
    await rig.untilEqual(10);
    assert.ok(rig.clock.monotonic() - before <= 1_010, String(rig.clock.monotonic() - before));
    assert.equal(rig.server.lists, 1);
  });

  it("does not spin when the server ends every watch at once", async () => {
    await using rig = new Rig();
    rig.random = 0.999_999;
    await rig.follow();
    for (let n = 0; n < 6; n++) {
      rig.server.endWatches();
      await rig.watching(n + 2, 10);
    }
    assert.ok(rig.clock.monotonic() > 40_000, String(rig.clock.monotonic()));
    const ends = rig.reports.filter(([what, report]) => what === "watched" && "short" in report && report.short);
    assert.equal(ends.length, 6);
  });

  const hostile: Readonly<Record<string, () => AsyncGenerator<WatchEvent>>> = {
    "with a bookmark": async function* () {
      yield { type: "BOOKMARK", resourceVersion: "2" };
    },
    "with an event": async function* () {
      yield { type: "MODIFIED", object: { metadata: { name: "a", resourceVersion: "1" } } };
    },
    "with a bookmark and a 410": async function* () {
      yield { type: "BOOKMARK", resourceVersion: "2" };
      throw expired();
    },
    "with an event without a version": async function* () {
      yield { type: "MODIFIED", object: { metadata: { name: "a" } } };
    },
  };
  for (const [what, events] of Object.entries(hostile)) {
    it(`does not spin when the server ends every watch at once ${what}`, async () => {
      const clock = new TestClock();
      let calls = 0;
      const client = {
        list: async function* () {
          calls += 1;
          yield { items: [], resourceVersion: "1" };
        },
        watch: (_: Resource, { opened }: WatchOptions) => {
          calls += 1;
          opened?.();
          return events();
        },
      };
      const log = { debug: () => {}, info: () => {}, warn: () => {} };
      const deps = { client, clock, random: () => 0.5, log };
      const reflector = new Reflector({ resource: widgets, transform: (object) => object }, deps);
      const stop = new AbortController();
      const running = reflector.run(stop.signal);
      await clock.elapse(60_000, 50);
      stop.abort();
      await running;
      assert.ok(calls > 3 && calls < 30, `${calls} calls in a minute`);
    });
  }

  it("takes a quiet watch that stayed open for a minute as a server that serves", async () => {
    await using rig = new Rig();
    rig.random = 0.999_999;
    await rig.follow();
    for (let n = 0; n < 6; n++) {
      rig.clock.pass(90_000);
      const before = rig.clock.monotonic();
      rig.server.endWatches({ error: unavailable() });
      await rig.watching(n + 2, 10);
      assert.ok(rig.clock.monotonic() - before <= 820);
    }
  });

  it("keeps no managedFields, and gives them to no transform", async () => {
    const fields = { metadata: { managedFields: [{ manager: "m" }], uid: "u" }, spec: { managedFields: "a name" } };
    const seen: unknown[] = [];
    await using rig = new Rig({
      transform: (object) => {
        seen.push("managedFields" in object.metadata);
        return object;
      },
    });
    rig.server.put("a", fields);
    await rig.follow();
    rig.server.put("b", fields);
    await rig.until("b", () => rig.cache.size === 2);
    assert.deepEqual(seen, [false, false]);
    assert.deepEqual(rig.cache.get("default/b"), {
      metadata: { namespace: "default", name: "b", uid: "u", resourceVersion: "2" },
      spec: { managedFields: "a name" },
    });
  });

  it("keeps what it knew of an object that the transform refuses, in a watch and in a list", async () => {
    await using rig = new Rig({
      transform: (object) => {
        if (object.spec === "bad") throw new Error("can't read this");
        return object;
      },
    });
    rig.server.put("a", { spec: "good" });
    rig.server.put("b", { spec: "bad" });
    await rig.follow();
    assert.equal(rig.cache.size, 1);
    rig.server.put("a", { spec: "bad" });
    rig.server.put("c", { spec: "good" });
    await rig.until("c", () => rig.cache.get("default/c") !== undefined);
    assert.equal(rig.cache.get("default/a")?.spec, "good");
    rig.server.compact();
    rig.server.endWatches({ error: expired() });
    await rig.watching(2, 1);
    assert.equal(rig.cache.get("default/a")?.spec, "good");
    rig.server.put("a", { spec: "good again" });
    await rig.until("a", () => rig.cache.get("default/a")?.spec === "good again");
    assert.equal(rig.reports.filter(([what]) => what === "threw").length, 4);
  });

  it("goes on when a listener throws", async () => {
    await using rig = new Rig();
    rig.cache.subscribe(() => {
      throw new Error("handler");
    });
    rig.server.put("a");
    await rig.follow();
    rig.server.put("b");
    await rig.untilEqual();
    assert.equal(rig.server.watches, 1);
    assert.deepEqual(
      rig.reports.filter(([what]) => what === "threw").map(([, report]) => report),
      Array(2).fill({ name: "widgets.example.com", by: "listener" }),
    );
    const warning = "warn: a listener of a cache threw";
    assert.deepEqual(rig.logged, [warning, "debug: a listener of a cache threw"]);
    rig.clock.pass(60_000);
    rig.server.put("c");
    await rig.untilEqual();
    assert.equal(rig.logged.at(-1), warning);
  });

  it("says why it can't be relied on: before the first list, and after minutes of silence, whatever the wall clock does", async () => {
    await using rig = new Rig();
    rig.server.failures.push(unavailable());
    rig.run();
    await rig.until("the failure", () => rig.logged.length === 1);
    assert.equal(rig.reflector.problem(), "the first list of widgets.example.com is not complete: not now");
    await rig.until("the first watch", () => rig.server.openWatches === 1, 100);
    assert.equal(rig.reflector.problem(), undefined);
    rig.clock.jumpWall(10 * 365 * 24 * 3_600_000);
    assert.equal(rig.reflector.problem(), undefined);
    rig.clock.pass(170_000);
    rig.server.endWatches({ error: unavailable() });
    for (let n = 0; n < 10; n++) rig.server.failures.push(unavailable());
    await rig.until("the failures", () => rig.server.failures.length < 5, 100);
    assert.match(rig.reflector.problem() ?? "", /^nothing was heard about widgets.example.com for \d+ s: not now$/);
    await rig.until("the next watch", () => rig.server.openWatches === 1, 100);
    assert.equal(rig.reflector.problem(), undefined);
  });

  describe("stops for good, with no call and no change after it,", () => {
    const moments: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
      "during a list": async (rig) => {
        rig.server.onPage = (page) => {
          if (page === 1) rig.stopSoon();
        };
        rig.run();
        await assert.rejects(rig.cache.whenSynced(), /stopped/);
      },
      "during a watch": async (rig) => {
        await rig.follow();
        rig.cache.subscribe(() => rig.stopSoon());
        rig.server.put("d");
        rig.server.put("e");
        await rig.until("the first of two events", () => rig.cache.get("default/d") !== undefined);
        assert.equal(rig.cache.get("default/e"), undefined);
      },
      "while it waits": async (rig) => {
        await rig.follow();
        rig.server.failures.push(...Array(20).fill(unavailable()));
        rig.server.endWatches({ error: unavailable() });
        await rig.until("a wait", () => rig.clock.timers === 1);
      },
    };
    for (const [moment, reach] of Object.entries(moments)) {
      it(moment, async () => {
        const rig = new Rig();
        for (const name of ["a", "b", "c"]) rig.server.put(name);
        await reach(rig);
        await rig.stop();
        const calls = [rig.server.lists, rig.server.watches, rig.changes.length];
        rig.server.put("f");
        rig.clock.pass(600_000);
        await rig.turns();
        assert.deepEqual([rig.server.lists, rig.server.watches, rig.changes.length], calls);
        assert.deepEqual([rig.server.openWatches, rig.clock.timers], [0, 0]);
      });
    }
  });
});
