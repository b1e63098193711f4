import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labels } from "@copepod/core/cluster";
import { apiVersion } from "@copepod/crds/definition";
import { controllingOwner } from "@copepod/kube/controller/owners";
import type { KubeObject } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import { pods, sessions } from "../resources.ts";
import { podFor } from "./pod.ts";
import { readStatus } from "./status.ts";
import { TestLeader } from "./testing/leader.ts";
import { plan } from "./testing/samples.ts";
import { TestServer } from "./testing/server.ts";

const key = "agents/helper-1";
const place = { namespace: "agents", name: "helper-1" };
const wake = { wanted: true, epoch: 5 };

/** A Session that should be awake, and a pod of the name that it needs. */
async function world(change: (pod: KubeObject) => KubeObject) {
  const server = new TestServer(() => Date.UTC(2030, 0, 1));
  const spec = { group: "helper", key: { kind: "Group" }, wake };
  const session = await server.create(sessions, { apiVersion, kind: "Session", metadata: place, spec });
  const pod = podFor(plan({ session }), { epoch: 5, placeholder: "placeholder" });
  await server.create(pods, change({ ...pod, spec: { ...Object(pod.spec), nodeName: "node-1" } }));
  const [found] = server.list("pods");
  const leader = new TestLeader(server, 1, new TestClock());
  await leader.reconcile(key);
  const status = readStatus(server.list("sessions")[0]?.status);
  return {
    said: [status.phase, status.conditions[0]?.reason],
    isEnding: server.list("pods").some(({ metadata }) => metadata.deletionTimestamp !== undefined),
    isPublished: status.podUid !== undefined && status.podUid === found?.metadata.uid,
  };
}

const without = (label: string) => (pod: KubeObject) => {
  const { [label]: _, ...kept } = pod.metadata.labels ?? {};
  return { ...pod, metadata: { ...pod.metadata, labels: kept } };
};
const by = (serviceAccountName: string) => (pod: KubeObject) => ({
  ...without(labels.managedBy)(pod),
  spec: { ...Object(pod.spec), serviceAccountName },
});
const ownedBy = (uid: string) => (pod: KubeObject) => {
  const ownerReferences = [controllingOwner(sessions, { metadata: { ...place, uid } })];
  return { ...pod, metadata: { ...pod.metadata, ownerReferences } };
};

describe("a pod that has the name of the one that a session needs", () => {
  it("is published when it is the session's own", async () => {
    const { said, isPublished } = await world((pod) => pod);
    assert.deepEqual([said, isPublished], [["Waking", "Starting"], true]);
  });

  it("is somebody else's when it has another account, be the Session its owner or not", async () => {
    const { said, isPublished, isEnding } = await world(by("default"));
    assert.deepEqual([said, isPublished, isEnding], [["Failed", "Conflict"], false, false]);
  });

  for (const label of [labels.managedBy, labels.component, labels.group, labels.session]) {
    it(`is ended when somebody took its label ${label}: no network policy knows it any more`, async () => {
      const { isEnding, isPublished } = await world(without(label));
      assert.deepEqual([isEnding, isPublished], [true, false]);
    });
  }

  it("is ended when somebody took its owner", async () => {
    const { isEnding, isPublished } = await world((pod) => ({
      ...pod,
      metadata: { ...pod.metadata, ownerReferences: [] },
    }));
    assert.deepEqual([isEnding, isPublished], [true, false]);
  });

  it("ends, and nobody is told a reason, when it is of an earlier Session of the name", async () => {
    const { said, isEnding, isPublished } = await world(ownedBy("uid-of-earlier"));
    assert.deepEqual([said, isEnding, isPublished], [[undefined, undefined], true, false]);
  });
});

describe("a pod that a webhook changed as it was made", () => {
  it("is ended, fails its epoch by name, and is never published", async () => {
    const server = new TestServer(() => Date.UTC(2030, 0, 1));
    const spec = { group: "helper", key: { kind: "Group" }, wake };
    await server.create(sessions, { apiVersion, kind: "Session", metadata: place, spec });
    const leader = new TestLeader(server, 1, new TestClock());
    const create = server.create.bind(server);
    server.create = async (resource, { spec: sent, ...pod }) => {
      const containers = [...Object(sent).containers, { name: "sidecar" }];
      return await create(resource, { ...pod, spec: { ...Object(sent), containers } });
    };
    await leader.reconcile(key);
    assert.deepEqual(server.list("pods"), []);
    const { phase, podUid, conditions } = readStatus(server.list("sessions")[0]?.status);
    assert.deepEqual([phase, podUid, conditions[0]?.reason], ["Failed", undefined, "PodChanged"]);
  });
});
