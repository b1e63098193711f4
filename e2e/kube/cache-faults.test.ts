import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Identity } from "@copepod/kube/client/access";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { FaultProxy } from "./support/fault-proxy.ts";
import { Follower, type FollowerOptions, makeNamespace, Writer } from "./support/follower.ts";
import { HttpFaults } from "./support/http-faults.ts";

/** Long enough for a busy machine to open a watch, short enough to wait for. */
const inactivityMs = 3_000;
const large = "x".repeat(4_000);

describe("a cache behind a bad network", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;

  before(async () => {
    plane = await startControlPlane();
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    server = createKubeClient({ identity, userAgent: "writer/1", clock: systemClock, random: Math.random });
  });

  after(async () => {
    await server.close();
    await plane[Symbol.asyncDispose]();
  });

  /** A namespace with a few objects and a cache of it, which reaches the API server by this URL. */
  async function make(url: string, options: Partial<FollowerOptions> = {}) {
    const namespace = await makeNamespace(server);
    const writer = new Writer(server, namespace);
    for (const name of ["a", "b", "c", "d", "e"]) await writer.put(name, large);
    const follower = new Follower({ identity: through(plane, url), namespace, ...options });
    const untilEqual = () => follower.untilEqual(server, namespace);
    return { follower, writer, untilEqual };
  }

  it("notices a connection that hangs, and goes on where it was", async () => {
    await using proxy = await FaultProxy.start(plane.server);
    const { follower, writer, untilEqual } = await make(proxy.url, { settings: { inactivityMs } });
    await using _ = follower;
    await follower.follow();
    await writer.put("f");
    await untilEqual();
    proxy.fault = { kind: "hang" };
    const hungAt = performance.now();
    await writer.put("g");
    await writer.remove("a");
    await until("the silence is noticed", () => follower.failures === 1);
    assert.ok(performance.now() - hungAt >= inactivityMs / 2, "it must not have been noticed by anything else");
    proxy.fault = { kind: "pass" };
    await untilEqual();
    assert.equal(follower.lists, 1);
  });

  it("takes no half of a line for a whole, and gets it again", async () => {
    await using faults = await HttpFaults.start(plane);
    const { follower, writer, untilEqual } = await make(faults.url, { watchSeconds: 3 });
    await using _ = follower;
    await follower.follow();
    faults.cutAfterBytes = large.length;
    await until("the next watch", () => follower.watches === 2 && follower.isWatching);
    await writer.put("f", large);
    await until("the cut", () => follower.failures === 1);
    faults.cutAfterBytes = Number.POSITIVE_INFINITY;
    assert.equal(follower.cache.get(`${writer.namespace}/f`), undefined);
    assert.match(follower.logged[0] ?? "", /cut/);
    await untilEqual();
    assert.equal(follower.lists, 1);
    assert.equal(follower.changes.filter((key) => key.endsWith("/f")).length, 1);
  });

  it("sits out a time in which the server answers 503, and misses nothing of it", async () => {
    await using faults = await HttpFaults.start(plane);
    const { follower, writer, untilEqual } = await make(faults.url);
    await using _ = follower;
    await follower.follow();
    faults.answer = () => ({ status: 503 });
    follower.cut();
    follower.letWatch();
    await writer.remove("a");
    await writer.put("f");
    await until("some tries in vain", () => follower.failures === 4);
    assert.equal(follower.cache.size, 5);
    faults.answer = () => undefined;
    await untilEqual();
    assert.equal(follower.lists, 1);
    assert.equal(follower.logged.filter((line) => line.includes("failed")).length, 1, "an outage is one line");
  });

  it("reads slowly what comes slowly, list and events", async () => {
    await using proxy = await FaultProxy.start(plane.server);
    proxy.fault = { kind: "slow", bytesPerSecond: 20_000 };
    const { follower, writer, untilEqual } = await make(proxy.url, { settings: { inactivityMs } });
    await using _ = follower;
    await follower.follow();
    for (const name of ["f", "g", "h", "i"]) await writer.put(name, large.repeat(4));
    await untilEqual();
    assert.deepEqual([follower.lists, follower.watches, follower.failures], [1, 1, 0]);
  });

  it("gets its first list over a network that breaks in the middle of it, and shows no part of it before", async () => {
    await using proxy = await FaultProxy.start(plane.server);
    proxy.fault = { kind: "cut", afterBytes: 3 * large.length };
    const { follower, untilEqual } = await make(proxy.url);
    await using _ = follower;
    const following = follower.follow();
    await until("a second connection", () => proxy.opened > 1);
    assert.equal(follower.cache.synced, false);
    assert.equal(follower.cache.size, 0);
    proxy.fault = { kind: "pass" };
    await following;
    await untilEqual();
  });

  it("goes on after each of many resets", async () => {
    await using proxy = await FaultProxy.start(plane.server);
    const { follower, writer, untilEqual } = await make(proxy.url);
    await using _ = follower;
    await follower.follow();
    for (const round of ["1", "2", "3", "4", "5"]) {
      proxy.reset();
      await writer.put(`f${round}`);
      await writer.put("a", round);
      await untilEqual();
    }
    assert.equal(follower.lists, 1);
    assert.equal(follower.failures, 5);
  });
});

/** The admin of the cluster, by way of another address. */
function through(plane: ControlPlane, url: string): Identity {
  const identity = kubeconfig({ files: [plane.kubeconfig] });
  return async (anew) => {
    const { endpoint, headers } = await identity(anew);
    return { endpoint: { ...endpoint, server: url }, headers };
  };
}
