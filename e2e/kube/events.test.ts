import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { EventRecorder, eventIntervalMs, eventResource, type Happening } from "@copepod/kube/controller/events";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { configMaps } from "./example/copier.ts";
import { makeNamespace } from "./support/follower.ts";

describe("events on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;
  const warned: unknown[] = [];

  before(async () => {
    plane = await startControlPlane();
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    server = createKubeClient({ identity, userAgent: "events-test/1", clock: systemClock, random: Math.random });
  });

  after(async () => {
    await server.close();
    await plane[Symbol.asyncDispose]();
  });

  const makeRecorder = (clock: TestClock) =>
    new EventRecorder({
      ...{ client: server, controller: "example.dev/operator", instance: "operator-0", clock },
      log: { debug: () => {}, info: () => {}, warn: (fields) => void warned.push(fields) },
      newId: () => randomUUID().replaceAll("-", ""),
    });

  const happeningOf = (regarding: KubeObject): Happening => ({
    regarding: { apiVersion: "v1", kind: "ConfigMap", ...regarding },
    ...{ type: "Warning", reason: "NoRoom", action: "StartPod", note: "No node has room. ".repeat(100) },
  });

  const eventsIn = async (namespace: string): Promise<readonly KubeObject[]> =>
    (await server.page(eventResource, { namespace })).items;

  it("are accepted, and one that repeats is counted in one object", async () => {
    const namespace = await makeNamespace(server);
    const clock = new TestClock();
    const recorder = makeRecorder(clock);
    const happening = happeningOf(await server.create(configMaps, { metadata: { namespace, name: "a" } }));
    for (let count = 0; count < 7; count += 1) recorder.record(happening);
    await until("the event is there", async () => (await eventsIn(namespace)).length === 1);
    clock.pass(eventIntervalMs);
    await recorder.close();
    const [event, ...more] = await eventsIn(namespace);
    assert.deepEqual(more, []);
    assert.deepEqual(event?.series, { count: 7, lastObservedTime: "2030-01-01T00:00:00.000000Z" });
    assert.deepEqual(
      [event?.reason, event?.type, event?.reportingController],
      ["NoRoom", "Warning", "example.dev/operator"],
    );
    assert.equal(String(event?.note).length, 1_024);
    assert.deepEqual(warned, []);
  });

  it("are written about what has no namespace, and again after the old one is gone", async () => {
    const clock = new TestClock();
    const recorder = makeRecorder(clock);
    const node: Resource = { group: "", version: "v1", kind: "Node", plural: "nodes", namespaced: false };
    const made = await server.create(node, { metadata: { name: `node-${randomUUID()}` } });
    const happening = happeningOf({ ...made, apiVersion: "v1", kind: "Node" });
    const found = async () =>
      (await eventsIn("default")).filter(({ metadata }) => metadata.name?.startsWith(`${made.metadata.name}.`));
    recorder.record(happening);
    const [first] = await until("the event is there", async () =>
      (await found()).length > 0 ? await found() : undefined,
    );
    await server.delete(eventResource, { namespace: "default", name: first?.metadata.name ?? "" });
    recorder.record(happening);
    clock.pass(eventIntervalMs);
    await recorder.close();
    const [second] = await found();
    assert.notEqual(second?.metadata.name, first?.metadata.name);
    assert.deepEqual(second?.series, { count: 2, lastObservedTime: "2030-01-01T00:00:00.000000Z" });
    assert.deepEqual(warned, []);
  });
});
