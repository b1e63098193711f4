import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labels } from "@copepod/core/cluster";
import { Store } from "@copepod/kube/cache/store";
import { TestClock } from "@copepod/kube/testing/clock";
import type { NodeSeen } from "./node.ts";
import { Places } from "./places.ts";
import { type PodSeen, seePod } from "./pod-seen.ts";
import { settings } from "./testing/samples.ts";

const startsAt = "2030-01-01T00:00:00Z";
const container = { name: "agent", ready: false, restartCount: 0, state: {} };
const pod = (name: string, status: object = {}): PodSeen =>
  seePod({
    metadata: { name, namespace: "agents", creationTimestamp: startsAt, labels: { [labels.component]: "session" } },
    status,
  });

function make({ pods, nodes, unseen = 0 }: { pods: readonly PodSeen[]; nodes: number; unseen?: number }) {
  const clock = new TestClock();
  const options = { indexes: {}, onListenerError: () => assert.fail() };
  const caches = { pods: new Store<PodSeen>(options), nodes: new Store<NodeSeen>(options) };
  for (const one of pods) caches.pods.put(caches.pods.stage(one.metadata.name ?? "", "1", one));
  for (let at = 0; at < nodes; at += 1) {
    caches.nodes.put(caches.nodes.stage(`n${at}`, "1", { metadata: { name: `n${at}` }, lostSince: undefined }));
  }
  const called: string[] = [];
  const recent = { unseen, ageOf: () => clock.monotonic() };
  const call = (session: string) => void called.push(session);
  const places = new Places({ caches, recent, call, settings: settings({ wakesPerNode: 2 }) });
  return { clock, called, isFree: () => places.take("x"), places };
}

describe("places for pods that start", () => {
  it("are so many per node", () => {
    const pods = [pod("a"), pod("b")];
    assert.equal(make({ pods, nodes: 1 }).isFree(), false);
    assert.equal(make({ pods, nodes: 2 }).isFree(), true);
    assert.equal(make({ pods: [pod("a")], nodes: 0 }).isFree(), true, "a cluster has a node");
  });

  it("are free again once the containers run, be they ready or not", () => {
    const running = { containerStatuses: [{ ...container, state: { running: {} } }] };
    assert.equal(make({ pods: [pod("a", running), pod("b")], nodes: 1 }).isFree(), true);
  });

  it("are not held by what waits for something else, nor for long", () => {
    const absent = { containerStatuses: [{ ...container, state: { waiting: { reason: "ErrImagePull" } } }] };
    assert.equal(make({ pods: [pod("a", absent), pod("b")], nodes: 1 }).isFree(), true);
    const slow = make({ pods: [pod("a"), pod("b")], nodes: 1 });
    slow.clock.pass(30_000);
    assert.equal(slow.isFree(), true);
  });

  it("count what no cache shows yet", () => {
    assert.equal(make({ pods: [], nodes: 1, unseen: 2 }).isFree(), false);
    const { places } = make({ pods: [], nodes: 1 });
    assert.deepEqual(
      ["a", "b", "c"].map((key) => places.take(key)),
      [true, true, false],
    );
  });

  it("go to who came first, who is called then, and to nobody who left the line", () => {
    const { places, called } = make({ pods: [], nodes: 1 });
    for (const key of ["a", "b", "c", "d", "e"]) places.take(key);
    places.leave("c");
    assert.deepEqual(called, []);
    places.give();
    assert.deepEqual(called, ["d"]);
    assert.deepEqual([places.take("f"), places.take("e"), places.take("d")], [false, false, true]);
    places.give();
    assert.deepEqual(called, ["d", "e"]);
  });
});
