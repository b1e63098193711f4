import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { leaseResource } from "@copepod/kube/lease/lease-record";
import { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { configMaps } from "./example/copier.ts";
import {
  countWrites,
  isConverged,
  leaseMs,
  makeSource,
  RunningCopier,
  type RunningOptions,
} from "./support/copiers.ts";
import { makeNamespace } from "./support/follower.ts";

const sources = 20;

describe("a controller on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;

  before(async () => {
    plane = await startControlPlane();
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    server = createKubeClient({ identity, userAgent: "people/1", clock: systemClock, random: Math.random });
  });

  after(async () => {
    await server.close();
    await plane[Symbol.asyncDispose]();
  });

  const names = Array.from({ length: sources }, (_, at) => `source-${at}`);

  const put = async (namespace: string, text: string): Promise<void> => {
    for (const name of names) {
      await server.apply(configMaps, makeSource(namespace, name, { text }), { fieldManager: "people", force: true });
    }
  };

  async function start(more: Partial<RunningOptions> = {}) {
    const namespace = await makeNamespace(server);
    await put(namespace, "one");
    const copier = new RunningCopier({ identity: kubeconfig({ files: [plane.kubeconfig] }), namespace, ...more });
    const converged = () => until("all copies are right", () => isConverged(server, namespace), 60_000);
    /** Without those that were refused since the cache was behind: each of them is one conflict. */
    const writes = async () =>
      (await countWrites({ server, auditLog: plane.auditLog, userAgent: copier.userAgent, namespace })) -
      (await copier.conflicts());
    /** One more thing to do, last in the line: when it is done, so is everything before it. */
    const settle = async () => {
      await server.create(configMaps, makeSource(namespace, "last", { text: "end" }));
      await converged();
    };
    return { namespace, copier, converged, writes, settle };
  }

  it("converges with one write per object, and then writes nothing, whatever happens to unrelated things", async () => {
    const { namespace, copier, converged, writes, settle } = await start();
    await using _ = copier;
    await converged();
    assert.equal(await writes(), sources);
    for (const name of names) {
      await server.mergePatch(configMaps, { namespace, name }, { metadata: { annotations: { seen: "yes" } } });
    }
    await settle();
    assert.ok((await copier.reconciles()) > sources * 2, "it has looked again");
    assert.equal(await writes(), sources + 1);
  });

  it("mends what others change, and what they delete", async () => {
    const { namespace, copier, converged, writes, settle } = await start();
    await using _ = copier;
    await converged();
    await server.mergePatch(configMaps, { namespace, name: "source-3-copy" }, { data: { text: "wrong", more: "x" } });
    await server.delete(configMaps, { namespace, name: "source-4-copy" });
    await put(namespace, "two");
    await converged();
    await settle();
    assert.ok((await writes()) <= 2 * sources + 3);
  });

  it("converges when the API server is killed in the middle of the work", async () => {
    let writesLeft = sources / 2;
    const half = Promise.withResolvers<void>();
    const { copier, converged, settle } = await start({
      beforeWrite: async () => {
        if (writesLeft-- === 0) half.resolve();
      },
    });
    await using _ = copier;
    await half.promise;
    await plane.stopApiServer("SIGKILL");
    await plane.startApiServer();
    await converged();
    await settle();
  });

  it("converges through a storm of conflicts with somebody who writes the same objects all the time", async () => {
    const storm = { goesOn: true };
    const { namespace, copier, converged, writes, settle } = await start({
      // The object changes between the decision and its write.
      beforeWrite: async (name) => {
        if (!storm.goesOn) return;
        const meddle = { metadata: { annotations: { by: String(Math.random()) } } };
        await server.mergePatch(configMaps, { namespace, name }, meddle).catch(() => undefined);
      },
    });
    await using _ = copier;
    await converged();
    await put(namespace, "two");
    await until("a storm", async () => (await copier.conflicts()) > sources * 2);
    assert.deepEqual(copier.warned, [], "a conflict is no failure");
    storm.goesOn = false;
    await converged();
    await settle();
    assert.equal(await writes(), 2 * sources + 1, "one write per conflict, and one per change");
  });

  it("converges when its reconciles throw for a while", async () => {
    let failures = sources * 3;
    const { copier, converged, settle, writes } = await start({
      beforeWrite: () => {
        if (failures-- > 0) throw new Error("a fault in the reconcile");
      },
    });
    await using _ = copier;
    await converged();
    await settle();
    assert.equal(copier.warned.length, sources * 3);
    assert.equal(await writes(), sources + 1);
  });

  it("takes up what another before it has left half done, without a second copy", async () => {
    const first = await start({
      beforeWrite: (copy) => {
        if (copy.endsWith("7-copy")) throw new Error("never gets there");
      },
    });
    await until("all but two", async () => (await first.writes()) === sources - 2);
    await first.copier[Symbol.asyncDispose]();
    await using _ = new RunningCopier({
      identity: kubeconfig({ files: [plane.kubeconfig] }),
      namespace: first.namespace,
    });
    await first.converged();
    assert.equal(await first.writes(), sources);
  });

  it("works in one of two programs, and at its stop in the other at once", async () => {
    const { namespace, copier, converged, writes } = await start();
    await until("the first leads", () => copier.leads());
    await using next = new RunningCopier({ identity: kubeconfig({ files: [plane.kubeconfig] }), namespace });
    await converged();
    assert.deepEqual([await next.leads(), await next.reconciles()], [false, 0]);
    const stoppedAt = performance.now();
    await copier[Symbol.asyncDispose]();
    await until("the next leads", () => next.leads());
    assert.ok(performance.now() - stoppedAt < leaseMs / 2, "it did not wait for the Lease to run out");
    await put(namespace, "two");
    await converged();
    assert.equal((await writes()) - (await next.conflicts()), sources * 2);
  });

  it("warns of an object that has a copy's name and is somebody else's, and leaves it alone", async () => {
    const { namespace, copier, converged } = await start();
    await using _ = copier;
    await converged();
    await server.create(configMaps, { metadata: { namespace, name: "taken-copy" }, data: { text: "theirs" } });
    await server.create(configMaps, makeSource(namespace, "taken", { text: "ours" }));
    await until("a warning", () => copier.warned.length > 0);
    assert.deepEqual((await server.get(configMaps, { namespace, name: "taken-copy" })).data, { text: "theirs" });
  });

  it("is a program: ready with its caches, with metrics, and after SIGTERM gone, its Lease released", async () => {
    const namespace = await makeNamespace(server);
    await put(namespace, "one");
    const main = fileURLToPath(new URL("example/main.ts", import.meta.url));
    const args = ["--kubeconfig", plane.kubeconfig, "--namespace", namespace, "--port", "0"];
    const program = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const exit = once(program, "exit");
    try {
      const port = await portOf(program.stdout);
      const ask = async (path: string) => await fetch(`http://127.0.0.1:${port}${path}`);
      assert.equal((await ask("/healthz")).status, 200);
      await until("it is ready", async () => (await ask("/readyz")).ok);
      await until("all copies are right", () => isConverged(server, namespace), 60_000);
      assert.match(await (await ask("/metrics")).text(), /^controller_runtime_reconcile_total\{.*"success"\} [1-9]/m);
    } finally {
      program.kill("SIGTERM");
    }
    assert.deepEqual(await exit, [0, null]);
    const { spec } = await server.get(leaseResource, { namespace, name: "copier" });
    assert.ok(spec instanceof Object && !("holderIdentity" in spec));
  });
});

const servesSchema = z.object({ address: z.object({ port: z.number() }).optional() });

/** As its log says. */
async function portOf(output: Readable): Promise<number> {
  for await (const line of createInterface({ input: output })) {
    const { address } = servesSchema.parse(JSON.parse(line));
    if (address) return address.port;
  }
  throw new Error("the program ended before it served");
}
