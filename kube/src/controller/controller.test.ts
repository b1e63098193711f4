import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { ApiError } from "../errors.ts";
import type { KubeObject } from "../object.ts";
import { TestClock } from "../testing/clock.ts";
import { Controller, type ControllerOptions, type Reconcile } from "./controller.ts";
import { ownKey } from "./owners.ts";
import { sourceOf } from "./sources.ts";
import { HandCache, makeObject } from "./testing/objects.ts";

const drainMs = 20_000;

function start(reconcile: Reconcile, more: Partial<ControllerOptions> = {}) {
  const clock = new TestClock();
  const cache = new HandCache();
  const stop = new AbortController();
  const lost = new AbortController();
  const told: string[] = [];
  const outcomes: string[] = [];
  const controller = new Controller({
    name: "things",
    reconcile,
    sources: [sourceOf(cache.store, { keysOf: ownKey })],
    clock,
    random: () => 0.5,
    log: { debug: () => {}, info: () => {}, warn: (_, message) => told.push(message) },
    observer: {
      queue: { follow: () => {}, added: () => {}, retried: () => {}, started: () => {}, finished: () => {} },
      workers: (most) => told.push(`${most} workers`),
      began: () => {},
      timedOut: () => outcomes.push("timed out"),
      ended: (outcome) => outcomes.push(outcome),
    },
    ...more,
  });
  const ran = controller.run({ stop: stop.signal, lost: lost.signal, drainMs });
  return { clock, cache, controller, stop, lost, told, outcomes, ran };
}

/** Ends when it is told to, or never. */
class SlowReconcile {
  readonly running = new Map<string, { signal: AbortSignal; end: () => void }>();
  most = 0;

  readonly reconcile: Reconcile = async (key, signal) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    assert.ok(!this.running.has(key), `${key} is reconciled twice at once`);
    this.running.set(key, { signal, end: () => resolve(undefined) });
    this.most = Math.max(this.most, this.running.size);
    return await promise.finally(() => this.running.delete(key));
  };

  end(key: string): void {
    this.running.get(key)?.end();
  }
}

const conflict = () => new ApiError("it has changed", { status: 409, reason: "Conflict", causes: [] });

describe("a controller", () => {
  it("begins when every cache is complete, and then looks at every key", async () => {
    const seen: string[] = [];
    const [one, other] = [new HandCache(), new HandCache()];
    const { clock, stop, ran } = start(
      async (key) => {
        seen.push(key);
        return undefined;
      },
      { sources: [one, other].map(({ store }) => sourceOf(store, { keysOf: ownKey })) },
    );
    one.sync(makeObject("a"), makeObject("b"));
    await clock.elapse(100);
    assert.deepEqual(seen, []);
    other.sync();
    await clock.elapse(100);
    assert.deepEqual(seen.toSorted(), ["ns/a", "ns/b"]);
    stop.abort();
    assert.equal(await ran, true);
    assert.equal(clock.timers, 0);
  });

  it("looks at every key when its caches were complete long ago, and at none after its end", async () => {
    const seen: string[] = [];
    const asked: string[] = [];
    const old = new HandCache();
    old.sync(makeObject("a"), makeObject("b"));
    const keysOf = (object: KubeObject) => {
      asked.push(object.metadata.name ?? "");
      return ownKey(object);
    };
    const { clock, stop, ran } = start(
      async (key) => {
        seen.push(key);
        return undefined;
      },
      { sources: [sourceOf(old.store, { keysOf })] },
    );
    await clock.elapse(100);
    assert.deepEqual(seen.toSorted(), ["ns/a", "ns/b"]);
    stop.abort();
    await ran;
    old.put(makeObject("c"));
    assert.deepEqual(asked, ["a", "b"]);
  });

  it("ends in good order when it is stopped before its caches are complete", async () => {
    const { stop, ran, clock } = start(async () => undefined);
    stop.abort(new Error("stopped"));
    assert.equal(await ran, true);
    assert.equal(clock.timers, 0);
  });

  it("takes nothing in any more when a source fails", async () => {
    let depth = () => 0;
    const clock = new TestClock();
    const controller = new Controller({
      ...{ name: "things", reconcile: async () => undefined, clock, random: () => 0.5 },
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      sources: [{ whenSynced: () => Promise.reject(new Error("ended")), subscribe: () => () => {}, keys: () => [] }],
      observer: {
        queue: {
          follow: (look) => {
            depth = () => look().depth;
          },
          ...{ added: () => {}, retried: () => {}, started: () => {}, finished: () => {} },
        },
        ...{ workers: () => {}, began: () => {}, timedOut: () => {}, ended: () => {} },
      },
    });
    await assert.rejects(controller.run({ stop: new AbortController().signal, drainMs }), /ended/);
    controller.enqueue("ns/a");
    assert.equal(depth(), 0);
  });

  it("works on several keys at once, never twice on one, and again on what changed meanwhile", async () => {
    const slow = new SlowReconcile();
    const { clock, cache, stop, ran, told } = start(slow.reconcile, { workers: 2 });
    cache.sync(makeObject("a"), makeObject("b"), makeObject("c"));
    await clock.elapse(50);
    assert.deepEqual([...slow.running.keys()], ["ns/a", "ns/b"]);
    cache.put(makeObject("a", { generation: 2 }));
    cache.put(makeObject("a", { generation: 3 }));
    slow.end("ns/a");
    await clock.elapse(50);
    assert.deepEqual([...slow.running.keys()], ["ns/b", "ns/c"]);
    slow.end("ns/b");
    await clock.elapse(50);
    assert.deepEqual([...slow.running.keys()], ["ns/c", "ns/a"]);
    assert.equal(slow.most, 2);
    assert.deepEqual(told, ["2 workers"]);
    for (const key of ["ns/a", "ns/c"]) slow.end(key);
    stop.abort();
    assert.equal(await ran, true);
  });

  it("tries a key again that failed, later each time, and forgets the failures when it goes well", async () => {
    const at: number[] = [];
    let failures = 3;
    const { clock, cache, controller, stop, ran, told, outcomes } = start((): Promise<undefined> => {
      at.push(clock.monotonic());
      if (failures-- > 0) throw new Error("not async, even");
      return Promise.resolve(undefined);
    });
    cache.sync(makeObject("a"));
    await clock.elapse(100, 1);
    assert.deepEqual(
      at.map((ms, index) => ms - (at[index - 1] ?? ms)),
      [0, 5, 10, 20],
    );
    assert.deepEqual(outcomes, ["error", "error", "error", "success"]);
    assert.equal(told.filter((line) => line.includes("failed")).length, 3);
    failures = 1;
    at.length = 0;
    controller.enqueue("ns/a");
    await clock.elapse(100, 1);
    assert.equal((at[1] ?? 0) - (at[0] ?? 0), 5);
    stop.abort();
    await ran;
  });

  it("looks again after a conflict without calling it a failure", async () => {
    let conflicts = 2;
    const { clock, cache, stop, ran, told, outcomes } = start(async () => {
      if (conflicts-- > 0) throw conflict();
      return undefined;
    });
    cache.sync(makeObject("a"));
    await clock.elapse(100);
    assert.deepEqual(outcomes, ["requeue", "requeue", "success"]);
    assert.deepEqual(told, ["4 workers"]);
    stop.abort();
    await ran;
  });

  it("warns of a conflict that stays: a name that is somebody else's, say", async () => {
    const { clock, cache, stop, ran, told, outcomes } = start(async () => {
      throw new ApiError("it is there", { status: 409, reason: "AlreadyExists", causes: [] });
    });
    cache.sync(makeObject("a"));
    await clock.elapse(9_000, 5);
    assert.deepEqual(new Set(outcomes), new Set(["requeue"]));
    assert.deepEqual(told, ["4 workers"]);
    await clock.elapse(3_000, 5);
    assert.equal(outcomes.at(-1), "error");
    assert.match(told.at(-1) ?? "", /failed/);
    stop.abort();
    await ran;
  });

  it("waits for as long as the API server asks", async () => {
    const at: number[] = [];
    const { clock, cache, stop, ran } = start(async () => {
      at.push(clock.monotonic());
      if (at.length > 1) return undefined;
      throw new ApiError("slow down", { status: 429, reason: "TooManyRequests", causes: [], retryAfterMs: 7_000 });
    });
    cache.sync(makeObject("a"));
    await clock.elapse(10_000, 100);
    assert.equal((at[1] ?? 0) - (at[0] ?? 0), 7_000);
    stop.abort();
    await ran;
  });

  it("looks again when a reconcile asks for it, and after the resync time, more or less", async () => {
    const at: number[] = [];
    const { clock, cache, stop, ran, outcomes } = start(
      async () => {
        at.push(clock.monotonic());
        return at.length === 1 ? { requeueAfterMs: 30_000 } : undefined;
      },
      { resyncMs: 600_000, random: () => 0 },
    );
    cache.sync(makeObject("a"));
    await clock.elapse(560_000, 1_000);
    assert.deepEqual(at, [0, 30_000, 540_000]);
    assert.deepEqual(outcomes, ["requeue_after", "success", "success"]);
    stop.abort();
    await ran;
  });

  it("aborts a reconcile that takes too long, by a reason that names it, and tries again", async () => {
    const reasons: unknown[] = [];
    const { clock, cache, stop, ran, outcomes } = start(
      async (_, signal) => {
        if (reasons.length > 0) return undefined;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push(signal.reason);
        throw signal.reason;
      },
      { timeoutMs: 3_000 },
    );
    cache.sync(makeObject("a"));
    await clock.elapse(4_000, 100);
    assert.ok(reasons[0] instanceof CopepodError);
    assert.deepEqual(
      [reasons[0].code, reasons[0].message],
      ["timeout", "Reconciling ns/a (things) took longer than 3000 ms."],
    );
    assert.deepEqual(outcomes, ["timed out", "error", "success"]);
    stop.abort();
    await ran;
    assert.equal(clock.timers, 0);
  });

  it("begins nothing after the stop, and lets what runs end", async () => {
    const slow = new SlowReconcile();
    const { clock, cache, stop, ran } = start(slow.reconcile, { workers: 1 });
    cache.sync(makeObject("a"), makeObject("b"));
    await clock.elapse(50);
    stop.abort();
    cache.put(makeObject("c"));
    await clock.elapse(drainMs / 2, 1_000);
    assert.deepEqual([...slow.running.keys()], ["ns/a"]);
    assert.equal(slow.running.get("ns/a")?.signal.aborted, false);
    slow.end("ns/a");
    assert.equal(await ran, true);
    assert.equal(slow.running.size, 0);
    assert.equal(clock.timers, 0);
  });

  it("aborts what still runs after the drain time, and says when even that does not end it", async () => {
    const slow = new SlowReconcile();
    const { clock, cache, stop, ran } = start(slow.reconcile);
    cache.sync(makeObject("a"));
    await clock.elapse(50);
    stop.abort();
    await clock.elapse(drainMs, 1_000);
    assert.equal(slow.running.get("ns/a")?.signal.aborted, true);
    await clock.elapse(10_000, 1_000);
    assert.equal(await ran, false);
    slow.end("ns/a");
  });

  it("aborts at once when the leadership is lost, also in the middle of draining", async () => {
    for (const stopsFirst of [false, true]) {
      const slow = new SlowReconcile();
      const { clock, cache, stop, lost, ran } = start(slow.reconcile);
      cache.sync(makeObject("a"));
      await clock.elapse(50);
      if (stopsFirst) stop.abort();
      await clock.elapse(50);
      const { signal } = slow.running.get("ns/a") ?? {};
      assert.equal(signal?.aborted, false);
      lost.abort(new CopepodError("superseded", "somebody else leads"));
      await clock.elapse(50);
      assert.equal(signal?.reason, lost.signal.reason);
      slow.end("ns/a");
      assert.equal(await ran, true);
      assert.equal(clock.timers, 0);
    }
  });
});
