import assert from "node:assert/strict";
import { after, before, describe, it, mock } from "node:test";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { configMaps } from "./example/copier.ts";
import { Follower, type FollowerOptions, makeNamespace, Writer } from "./support/follower.ts";

/** What somebody who waits for an event after an outage may have to wait, once the API server serves again. */
const soonMs = 2_000;

describe("a cache of a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;

  before(async () => {
    plane = await startControlPlane();
    server = createKubeClient({ identity: kubeconfig({ files: [plane.kubeconfig] }), ...parts });
  });

  after(async () => {
    await server.close();
    await plane[Symbol.asyncDispose]();
  });

  /** A namespace with three objects and a cache of it that follows. */
  async function start(options: Partial<FollowerOptions> = {}) {
    const namespace = await makeNamespace(server);
    const writer = new Writer(server, namespace);
    for (const name of ["a", "b", "c"]) await writer.put(name);
    const follower = new Follower({ identity: kubeconfig({ files: [plane.kubeconfig] }), namespace, ...options });
    await follower.follow();
    const untilEqual = (timeoutMs?: number) => follower.untilEqual(server, namespace, timeoutMs);
    await untilEqual();
    return { follower, writer, untilEqual };
  }

  it("follows what others write, without managedFields", async () => {
    const { follower, writer, untilEqual } = await start();
    await using _ = follower;
    await writer.put("d");
    await writer.put("a", "2");
    await writer.remove("b");
    await untilEqual();
    assert.equal(follower.lists, 1);
    const kept = follower.cache.get(`${writer.namespace}/a`);
    assert.deepEqual(kept?.data, { value: "2" });
    const served = await server.get(configMaps, { namespace: writer.namespace, name: "a" });
    assert.ok(served.metadata.managedFields?.length);
    assert.equal(kept?.metadata.managedFields, undefined);
  });

  it("sees the next event at once when a killed API server serves again, without a list", async () => {
    const { follower, writer, untilEqual } = await start();
    await using _ = follower;
    await plane.stopApiServer("SIGKILL");
    await until("many tries in vain", () => follower.failures > 20);
    await plane.startApiServer();
    await writer.put("d");
    await untilEqual(soonMs);
    // Where anything at all was written since its last event, a restarted API server may ask for a list.
    assert.equal(follower.lists, 1 + follower.expired, follower.logged.join("\n"));
    assert.equal(follower.logged.filter((line) => line.includes("failed")).length, 1, follower.logged.join("\n"));
  });

  it("lists exactly once when the server has forgotten its version, and tells only what changed meanwhile", async () => {
    const { follower, writer, untilEqual } = await start();
    await using _ = follower;
    const kept = follower.cache.get(`${writer.namespace}/a`);
    follower.cut();
    await writer.remove("b");
    await writer.put("c", "2");
    await writer.put("d");
    await plane.compact();
    // Until then the API server remembers what etcd has forgotten.
    await plane.stopApiServer("SIGKILL");
    await plane.startApiServer();
    follower.changes.length = 0;
    follower.letWatch();
    await untilEqual();
    await follower.watching();
    assert.deepEqual([follower.lists, follower.expired], [2, 1]);
    assert.deepEqual(
      follower.changes.sort(),
      ["b", "c", "d"].map((name) => `${writer.namespace}/${name}`),
    );
    assert.equal(follower.cache.get(`${writer.namespace}/a`), kept);
  });

  it("watches again at once when the server ends a watch in good order", async () => {
    const { follower, writer, untilEqual } = await start({ watchSeconds: 2 });
    await using _ = follower;
    for (const watches of [2, 3]) {
      await until("the next watch", () => follower.watches === watches && follower.isWatching);
      await writer.put(`d${watches}`);
      await untilEqual(soonMs);
    }
    assert.equal(follower.lists, 1);
    assert.equal(follower.failures, 0);
  });

  it("follows on whatever a listener or the transform throws", async () => {
    const transform: NonNullable<FollowerOptions["settings"]>["transform"] = (object) => {
      if (object.metadata.name === "bad") throw new Error("transform");
      return object;
    };
    const { follower, writer, untilEqual } = await start({ settings: { transform } });
    await using _ = follower;
    follower.cache.subscribe(() => {
      throw new Error("handler");
    });
    await writer.put("bad");
    await writer.put("d");
    await until("d", () => follower.cache.get(`${writer.namespace}/d`));
    await writer.remove("bad");
    await untilEqual();
    assert.deepEqual([follower.lists, follower.watches, follower.failures], [1, 1, 0]);
    assert.equal(follower.logged.filter((line) => line.includes("threw")).length, 2, follower.logged.join("\n"));
  });

  it("does not care when the clock of the machine jumps", async () => {
    const { follower, writer, untilEqual } = await start();
    await using _ = follower;
    const now = Date.now;
    for (const years of [10, -10]) {
      mock.method(Date, "now", () => now() + years * 365 * 24 * 3_600_000);
      await writer.put("d", String(years));
      await untilEqual(soonMs);
      assert.equal(follower.reflector.problem(), undefined);
      mock.restoreAll();
    }
    assert.deepEqual([follower.lists, follower.watches, follower.failures], [1, 1, 0]);
  });

  it("stops within a wait for a server that is gone, and does not come back with it", async () => {
    const { follower, writer } = await start();
    await plane.stopApiServer("SIGKILL");
    await until("a few tries in vain", () => follower.failures > 3);
    await follower.stop();
    const { lists, watches, changes } = follower;
    const before = changes.length;
    await plane.startApiServer();
    await writer.put("d");
    assert.deepEqual([follower.lists, follower.watches, follower.changes.length], [lists, watches, before]);
    await follower[Symbol.asyncDispose]();
  });

  it("sees an object that was made anew under its old name as another one", async () => {
    const { follower, writer, untilEqual } = await start({
      settings: { indexes: { uid: ({ metadata }) => [metadata.uid ?? ""] } },
    });
    await using _ = follower;
    const old = follower.cache.get(`${writer.namespace}/a`)?.metadata.uid ?? "none";
    await writer.remove("a");
    await writer.put("a");
    await untilEqual();
    assert.deepEqual(follower.cache.byIndex("uid", old), []);
    const uid = follower.cache.get(`${writer.namespace}/a`)?.metadata.uid ?? "none";
    assert.equal(follower.cache.byIndex("uid", uid).length, 1);
  });
});

const parts = { userAgent: "writer/1", clock: systemClock, random: Math.random } as const;
