import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pause } from "../clock.ts";
import { ApiError } from "../errors.ts";
import type { KubeObject } from "../object.ts";
import { TestClock } from "../testing/clock.ts";
import { EventRecorder, eventIntervalMs, type Happening, maxOpenEvents } from "./events.ts";
import { makeObject } from "./testing/objects.ts";

const happening: Happening = {
  regarding: makeObject("a"),
  ...{ type: "Warning", reason: "NoRoom", action: "StartPod", note: "No node has room." },
};

function start({ slow = false, hangs = false } = {}) {
  const clock = new TestClock();
  const created: KubeObject[] = [];
  const patches: { name: string; patch: object }[] = [];
  const warned: string[] = [];
  const failing = { create: false, patch: 0 };
  let id = 0;
  const recorder = new EventRecorder({
    client: {
      create: async (_, object, { timeoutMs = 0 } = {}) => {
        if (failing.create) throw new Error("no answer");
        created.push(object);
        if (slow) await new Promise(setImmediate);
        if (hangs) await pause(clock, timeoutMs, new AbortController().signal);
        if (hangs) throw new Error("no answer");
        return object;
      },
      mergePatch: async (_, { name }, patch) => {
        if (failing.patch > 0) throw new ApiError("no", { status: failing.patch, reason: "", causes: [] });
        patches.push({ name, patch });
        return { metadata: {} };
      },
    },
    ...{ controller: "example.dev/operator", instance: "operator-0", clock },
    log: { debug: () => {}, info: () => {}, warn: (_, message) => warned.push(message) },
    newId: () => `id${++id}`,
  });
  return { clock, created, patches, warned, failing, recorder };
}

describe("events", () => {
  it("are written at once, in the shape of events.k8s.io/v1", async () => {
    const { created, recorder } = start();
    recorder.record(happening);
    await recorder.close();
    assert.deepEqual(created, [
      {
        ...{ apiVersion: "events.k8s.io/v1", kind: "Event", metadata: { name: "a.id1", namespace: "ns" } },
        ...{ eventTime: "2030-01-01T00:00:00.000000Z", reportingController: "example.dev/operator" },
        ...{ reportingInstance: "operator-0", type: "Warning", reason: "NoRoom", action: "StartPod" },
        note: "No node has room.",
        regarding: { apiVersion: "example.dev/v1", kind: "Thing", name: "a", namespace: "ns", uid: "uid-a" },
      },
    ]);
  });

  it("that repeat are one, written again once per interval with how often and when last", async () => {
    const { clock, created, patches, recorder } = start();
    for (let minute = 0; minute < 12; minute += 1) {
      recorder.record(happening);
      await clock.elapse(60_000, 10_000);
    }
    assert.equal(created.length, 1);
    assert.deepEqual(patches, [
      { name: "a.id1", patch: { series: { count: 5, lastObservedTime: "2030-01-01T00:04:00.000000Z" } } },
      { name: "a.id1", patch: { series: { count: 10, lastObservedTime: "2030-01-01T00:09:00.000000Z" } } },
    ]);
    await recorder.close();
    assert.equal(clock.timers, 0);
  });

  it("are written never more often than once per interval and key", async () => {
    const { clock, created, patches, recorder } = start();
    recorder.record(happening);
    await clock.elapse(eventIntervalMs - 1_000, 1_000);
    const other = { ...happening, regarding: makeObject("b") };
    recorder.record(other);
    recorder.record(other);
    await clock.elapse(10_000, 1_000);
    assert.deepEqual([created.length, patches.length], [2, 0]);
    await clock.elapse(2 * eventIntervalMs, 1_000);
    assert.deepEqual([created.length, patches.length], [2, 1]);
    await recorder.close();
  });

  it("are kept apart by object, reason, type and action, and not by their note", async () => {
    const { created, recorder } = start();
    recorder.record(happening);
    recorder.record({ ...happening, note: "Still no node has room." });
    recorder.record({ ...happening, regarding: makeObject("a", { uid: "another life" }) });
    // As of an object that was read of a list of names only.
    for (const name of ["b", "c"]) recorder.record({ ...happening, regarding: { metadata: { name } } });
    recorder.record({ ...happening, reason: "Other" });
    recorder.record({ ...happening, type: "Normal" });
    recorder.record({ ...happening, action: "Other" });
    await recorder.close();
    assert.equal(created.length, 7);
  });

  it("that have not repeated for an interval are forgotten, and new when they come again", async () => {
    const { clock, created, recorder } = start();
    recorder.record(happening);
    await clock.elapse(eventIntervalMs + 1_000, 1_000);
    assert.equal(clock.timers, 0);
    recorder.record(happening);
    await clock.elapse(1_000);
    assert.equal(created.length, 2);
    await recorder.close();
  });

  it("are written anew when the API server has removed the old one", async () => {
    const { clock, created, failing, recorder } = start();
    recorder.record(happening);
    recorder.record(happening);
    failing.patch = 404;
    await clock.elapse(eventIntervalMs, 1_000);
    assert.equal(created.length, 2);
    assert.deepEqual(created[1]?.series, { count: 2, lastObservedTime: "2030-01-01T00:00:00.000000Z" });
    await recorder.close();
  });

  it("never trouble who records them: what fails is logged", async () => {
    const { clock, warned, failing, recorder } = start();
    failing.create = true;
    recorder.record(happening);
    await clock.elapse(100);
    failing.create = false;
    failing.patch = 500;
    recorder.record(happening);
    await recorder.close();
    recorder.record(happening);
    assert.deepEqual(warned, ["an event was not written"]);
  });

  it("are bounded: beyond so many at once they are dropped and counted", async () => {
    const { clock, created, warned, recorder } = start();
    for (let at = 0; at < maxOpenEvents + 50; at += 1)
      recorder.record({ ...happening, regarding: makeObject(`o${at}`) });
    await clock.elapse(eventIntervalMs, 10_000);
    assert.equal(created.length, maxOpenEvents);
    assert.deepEqual(warned, ["more events at once than are written"]);
    recorder.record({ ...happening, regarding: makeObject("later") });
    await recorder.close();
    assert.equal(created.length, maxOpenEvents + 1);
  });

  it("are written a few at a time: other calls have to get through", async () => {
    const { recorder, created } = start({ slow: true });
    for (let at = 0; at < 100; at += 1) recorder.record({ ...happening, regarding: makeObject(`o${at}`) });
    assert.equal(created.length, 4);
    await recorder.close();
    assert.equal(created.length, 100);
  });

  it("are given up at the close when the API server takes none", async () => {
    const { clock, recorder, created } = start({ hangs: true });
    for (let at = 0; at < 100; at += 1) recorder.record({ ...happening, regarding: makeObject(`o${at}`) });
    await clock.run(recorder.close(), 100);
    assert.ok(created.length <= 8, String(created.length));
  });

  it("have notes and names of a length that the API server takes", async () => {
    const { created, recorder } = start();
    const name = `${"a".repeat(199)}.${"b".repeat(50)}`;
    recorder.record({ ...happening, note: `${"x".repeat(1_023)}€`, regarding: makeObject(name) });
    await recorder.close();
    assert.equal(created[0]?.note, "x".repeat(1_023));
    assert.equal(created[0]?.metadata.name, `${"a".repeat(199)}.id1`);
  });

  it("have names of their own alphabet, whatever their object's is", async () => {
    const { created, recorder } = start();
    for (const name of ["system:Node-1", "a.:b", ":"]) recorder.record({ ...happening, regarding: makeObject(name) });
    await recorder.close();
    assert.deepEqual(
      created.map(({ metadata }) => metadata.name),
      ["system-node-1.id1", "a-b.id2", "event.id3"],
    );
  });
});
