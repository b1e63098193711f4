import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { annotations, groupObjectName, labels, podNameOf } from "@copepod/core/cluster";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { pods } from "@copepod/operator/resources";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { crdsFolder, readCrds, startWithKinds } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { containersAre, waitingFor } from "./support/kubelet.ts";
import type { Call } from "./support/operators.ts";
import { World } from "./support/world.ts";

describe("sessions on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;

  before(async () => {
    plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    server = createKubeClient({ identity, userAgent: "people/1", clock: systemClock, random: Math.random });
  });
  after(async () => {
    await server?.close();
    await plane?.[Symbol.asyncDispose]();
  });

  const open = async () => await World.open({ plane, server });

  it("wake by one create and two writes of the status, and sleep by one delete and one", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.untilPhase(session, "Asleep");
    const before = (await world.writes()).length;
    await world.wake(session, 1);
    const awake = await world.untilPhase(session, "Awake");
    assert.equal(awake.podName, podNameOf(session, 1));
    assert.equal(awake.podUid, (await world.pod(session, 1))?.metadata.uid);
    assert.equal(awake.epoch, 1);
    await world.sleep(session);
    const asleep = await world.untilPhase(session, "Asleep");
    assert.equal(asleep.podUid, undefined);
    assert.equal(await world.pod(session, 1), undefined);
    assert.deepEqual((await world.writes()).slice(before), [
      `create pods ${session}-1 201`,
      `patch sessions/status ${session} 200`,
      `patch sessions/status ${session} 200`,
      `delete pods ${session}-1 200`,
      `patch sessions/status ${session} 200`,
    ]);
  });

  it("are left alone while nothing changes that is the operator's: the router's part of the status, for one", async () => {
    await using world = await open();
    await world.start();
    const [session, other] = await world.sessions(2);
    await world.untilPhase(other, "Asleep");
    await world.wake(session, 1);
    await world.untilPhase(session, "Awake");
    const before = (await world.writes()).length;
    await world.patchStatus(session, { pending: 3, lastActiveAt: "2030-01-01T00:00:00Z", reason: "You are next." });
    await world.wake(other, 1);
    const read = await world.untilPhase(other, "Awake");
    assert.equal(read.ready?.reason, "Awake");
    assert.equal((await world.writes()).length, before + 3);
    assert.equal((await world.status(session)).raw.pending, 3);
  });

  it("end in the last wish after many flips, and never have two pods", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    let epoch = 0;
    for (let flip = 0; flip < 20; flip += 1) {
      epoch += 1;
      await world.wake(session, epoch);
      if (flip % 7 === 0) await world.untilAwake(session, epoch);
      await world.sleep(session);
    }
    await world.untilPhase(session, "Asleep");
    await world.wake(session, epoch + 1);
    assert.equal((await world.untilAwake(session, epoch + 1)).podName, podNameOf(session, epoch + 1));
    assert.deepEqual(world.kubelet.coexisting, []);
  });

  it("do not take a pod that is somebody else's for theirs, and leave it alone", async () => {
    await using world = await open();
    const [session] = await world.sessions(1);
    const foreign = await world.foreignPod(podNameOf(session, 1));
    await world.start();
    await world.wake(session, 1);
    const refused = await world.untilPhase(session, "Failed");
    assert.equal(refused.ready?.reason, "Conflict");
    assert.match(refused.ready?.message ?? "", /not of this session/);
    assert.equal((await world.pod(session, 1))?.metadata.uid, foreign.metadata.uid);
    await world.wake(session, 2);
    await world.untilPhase(session, "Awake");
    assert.equal((await world.pod(session, 1))?.metadata.resourceVersion, foreign.metadata.resourceVersion);
  });

  it("do not go on with a pod from which somebody took the labels by which the network knows it", async () => {
    await using world = await open();
    await world.start();
    const [session, other] = await world.sessions(2);
    for (const [name, label] of [
      [session, labels.managedBy],
      [other, labels.component],
    ] as const) {
      await world.wake(name, 1);
      const { podUid } = await world.untilPhase(name, "Awake");
      const metadata = { labels: { [label]: null } };
      await server.mergePatch(pods, { namespace: world.namespace, name: podNameOf(name, 1) }, { metadata });
      await until("another pod", async () => {
        const pod = await world.pod(name, 1);
        return pod !== undefined && pod.metadata.uid !== podUid && pod.metadata.labels?.[label] !== undefined;
      });
      await world.untilPhase(name, "Awake");
    }
    assert.deepEqual(world.kubelet.coexisting, []);
  });

  it("end both of two pods, and go on only when they are gone", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.wake(session, 2);
    const { podUid } = await world.untilPhase(session, "Awake");
    world.kubelet.ends = false;
    // As a leader that was deposed and did not know yet would make it.
    const late = await world.copyPod(session, { from: 2, to: 1 });
    const said = await until("both end", async () => {
      const status = await world.status(session);
      return status.ready?.reason === "MultiplePods" && status;
    });
    assert.equal(said.podUid, undefined);
    for (const epoch of [1, 2]) assert.ok((await world.pod(session, epoch))?.metadata.deletionTimestamp);
    await world.kubelet.resume();
    const again = await world.untilPhase(session, "Awake");
    assert.equal(again.podName, podNameOf(session, 2));
    assert.ok(again.podUid !== podUid && again.podUid !== late.metadata.uid);
  });

  it("are refused by the quota's name within a second, once per epoch, with an Event", async () => {
    await using world = await open();
    await world.quota({ pods: "0" });
    await world.start();
    const [session] = await world.sessions(1);
    await world.untilPhase(session, "Asleep");
    const before = (await world.writes()).length;
    const startedAt = performance.now();
    await world.wake(session, 1);
    const refused = await world.untilPhase(session, "Failed");
    assert.ok(performance.now() - startedAt < 1_000, `${performance.now() - startedAt} ms`);
    assert.equal(refused.ready?.reason, "QuotaExceeded");
    assert.match(refused.ready?.message ?? "", /exceeded quota: few/);
    await until("an Event", async () => (await world.events()).includes(`${session} QuotaExceeded`));
    assert.deepEqual((await world.writes()).slice(before), [
      `create pods ${session}-1 403`,
      `patch sessions/status ${session} 200`,
    ]);
    await world.quota({ pods: "10" });
    await world.wake(session, 2);
    await world.untilPhase(session, "Awake");
  });

  it("say by name what keeps them from running, and what they do not recover from", async () => {
    await using world = await open();
    await world.start();
    world.kubelet.starts = false;
    const [absent, full, crashing, lost] = await world.sessions(4);
    for (const session of [absent, full, crashing, lost]) await world.wake(session, 1);
    for (const session of [absent, full, crashing, lost]) await world.untilPhase(session, "Waking");
    await world.kubelet.say(podNameOf(full, 1), {
      conditions: [
        { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1: Insufficient cpu" },
      ],
    });
    await world.kubelet.say(podNameOf(absent, 1), waitingFor("ImagePullBackOff"));
    await world.untilReason(full, "NodeFull");
    await world.untilReason(absent, "ImageMissing");
    assert.equal((await world.status(absent)).phase, "Waking", "the image may still come");
    const waiting = { waiting: { reason: "CrashLoopBackOff" } };
    await world.kubelet.say(podNameOf(crashing, 1), containersAre(waiting, { restartCount: 5 }));
    await world.untilReason(crashing, "CrashLoop");
    assert.equal((await world.status(crashing)).phase, "Failed");
    world.skip(2 * 60_000);
    await world.untilPhase(absent, "Failed");
    world.skip(10 * 60_000);
    await world.untilPhase(full, "Failed");
    assert.equal((await world.status(full)).ready?.reason, "NodeFull");
    for (const session of [absent, full, crashing]) {
      await until("its pod is gone", async () => (await world.pod(session, 1)) === undefined);
    }
  });

  it("get a new pod of the same name for one that was evicted while they were awake", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.wake(session, 1);
    const { podUid } = await world.untilPhase(session, "Awake");
    await world.kubelet.say(podNameOf(session, 1), {
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low.",
    });
    const again = await until("a new pod", async () => {
      const status = await world.status(session);
      return status.phase === "Awake" && status.podUid !== podUid && status;
    });
    assert.equal(again.podName, podNameOf(session, 1));
    await until("an Event", async () => (await world.events()).includes(`${session} Evicted`));
  });

  it("are replaced after the turn when their settings change, and get changed rules at once", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.wake(session, 1);
    const { podUid } = await world.untilPhase(session, "Awake");
    await world.patchGroup({ agent: { image: "agent:2" } });
    const asked = await until("the drain is asked for", async () => (await world.status(session)).drainRequested);
    assert.equal(asked.epoch, 1);
    assert.equal((await world.status(session)).podUid, podUid, "the pod goes on");
    await world.sleep(session);
    await world.untilPhase(session, "Asleep");
    await world.wake(session, 2);
    assert.equal((await world.untilPhase(session, "Awake")).drainRequested, undefined);
    assert.match(JSON.stringify((await world.pod(session, 2))?.spec), /agent:2/);
    const rules = async () => (await world.pod(session, 2))?.metadata.annotations?.[annotations.rules];
    const before = await rules();
    await world.rotate(7);
    await until("the pod's annotation changes", async () => (await rules()) !== before);
    assert.equal((await world.status(session)).drainRequested, undefined);
  });

  it("stay asleep while they or their group are suspended, whatever is wanted", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.patchGroup({ suspended: true });
    await world.wake(session, 1);
    await world.untilReason(session, "Suspended");
    assert.equal(await world.pod(session, 1), undefined);
    await world.patchGroup({ suspended: false });
    await world.untilPhase(session, "Awake");
    await world.patchSession(session, { suspended: true });
    await world.untilReason(session, "Suspended");
    assert.equal((await world.untilPhase(session, "Asleep")).podUid, undefined);
  });

  it("say which volume is missing", async () => {
    await using world = await open();
    await world.start();
    const [session] = await world.sessions(1);
    await world.loseVolume(groupObjectName(world.group));
    await world.wake(session, 1);
    const refused = await world.untilPhase(session, "Failed");
    assert.equal(refused.ready?.reason, "VolumeMissing");
  });

  for (const when of ["before", "after"] as const) {
    it(`converge when the operator is killed right ${when} any of its writes of a wake and a sleep`, async () => {
      const writesOfBoth = [0, 1, 2, 3, 4];
      await Promise.all(
        writesOfBoth.map(async (at) => {
          await using world = await open();
          await killedAt(world, at, when);
        }),
      );
    });
  }

  it("have one pod though two operators believe to lead", async () => {
    await using world = await open();
    await Promise.all([world.start(), world.start({ lease: await world.otherNamespace() })]);
    const names = await world.sessions(3);
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      await Promise.all(names.map((name) => world.wake(name, epoch)));
      if (epoch % 2 === 0) await Promise.all(names.map((name) => world.untilAwake(name, epoch)));
      await Promise.all(names.map((name) => world.sleep(name)));
    }
    await Promise.all(names.map((name) => world.wake(name, 4)));
    for (const name of names) assert.equal((await world.untilAwake(name, 4)).podName, podNameOf(name, 4));
    assert.deepEqual(world.kubelet.coexisting, []);
  });

  it("are made once though the cache of pods is behind", async () => {
    await using world = await open();
    const gate = Promise.withResolvers<void>();
    await using _ = { [Symbol.asyncDispose]: async () => gate.resolve() };
    await world.start({ holdWatch: async (plural) => (plural === "pods" ? await gate.promise : undefined) });
    const names = await world.sessions(3);
    for (const name of names) await world.wake(name, 1);
    for (const name of names) await world.untilPhase(name, "Waking");
    // Whatever else happens meanwhile makes the operator look again.
    for (const name of names) await world.patchSession(name, {}, { note: randomUUID() });
    await world.rotate(7);
    gate.resolve();
    for (const name of names) await world.untilPhase(name, "Awake");
    const creates = (await world.writes()).filter((line) => line.startsWith("create"));
    assert.equal(creates.length, names.length);
    assert.ok(creates.every((line) => line.endsWith("201")));
  });

  it("get the pod that an operator made just before its end, and no second one", async () => {
    await using world = await open();
    const [session] = await world.sessions(1);
    world.kubelet.starts = false;
    const first = await world.start();
    await world.wake(session, 1);
    const { podUid } = await world.untilPhase(session, "Waking");
    await world.kill(first);
    await world.start();
    await world.kubelet.resume();
    assert.equal((await world.untilPhase(session, "Awake")).podUid, podUid);
    assert.equal((await server.page(pods, { namespace: world.namespace })).items.length, 1);
  });
});

/** Ends an operator at one of its writes of pods and sessions; nothing that it wants later gets through. */
function killAt(point: number, when: "before" | "after") {
  const dead = Promise.withResolvers<void>();
  let left = point;
  const intercept = async ({ what, pass, crash }: Call): Promise<void> => {
    if (!/^(pods|sessions)/.test(what) || left-- > 0) return;
    if (when === "after" && left === -1) await pass();
    dead.resolve();
    await crash();
  };
  return { dead: dead.promise, intercept };
}

async function killedAt(world: World, at: number, when: "before" | "after"): Promise<void> {
  const [session] = await world.sessions(1);
  const killed = killAt(at, when);
  // First of all: else the status Asleep is one more write, or a lost race for one.
  await world.wake(session, 1);
  const first = await world.start({ intercept: killed.intercept });
  const isAsleep = at > 2;
  if (isAsleep) await world.untilPhase(session, "Awake");
  if (isAsleep) await world.sleep(session);
  await killed.dead;
  await world.kill(first);
  await world.start();
  await world.untilPhase(session, isAsleep ? "Asleep" : "Awake");
  assert.equal((await world.pod(session, 1)) === undefined, isAsleep);
  assert.deepEqual(world.kubelet.coexisting, []);
}
