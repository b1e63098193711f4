import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podNameOf } from "@copepod/core/cluster";
import { apiVersion } from "@copepod/crds/definition";
import type { KubeObject } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import fc from "fast-check";
import { pods, sessions } from "../resources.ts";
import { readStatus } from "./status.ts";
import { type Death, TestLeader } from "./testing/leader.ts";
import { TestServer } from "./testing/server.ts";

const runs = 150;
const stepsPerRun = 80;
const key = "agents/helper-1";
const place = { namespace: "agents", name: "helper-1" };

type Step =
  | {
      readonly kind:
        | "wake"
        | "sleep"
        | "suspend"
        | "resume"
        | "start"
        | "end"
        | "evict"
        | "remove"
        | "replace"
        | "reconcile"
        | "late";
    }
  | { readonly kind: "hear"; readonly plural: "pods" | "sessions"; readonly most: number; readonly late: boolean }
  | { readonly kind: "pass"; readonly ms: number }
  | ({ readonly kind: "die" } & Death)
  | { readonly kind: "depose" };

const plain: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("wake", "sleep") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("suspend", "resume") }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("start", "end") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("evict", "remove", "replace") }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("reconcile") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ kind: fc.constant("hear"), plural: fc.constantFrom("pods", "sessions") },
      ...{ most: fc.integer({ min: 1, max: 4 }), late: fc.boolean() },
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(1_000, 20_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant("die"), call: fc.nat(3), when: fc.constantFrom("before", "after") },
    }),
  },
);

const withTwoLeaders: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: plain },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("depose") }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("late") }) },
);

describe("a session under random wishes, ends and leaders", () => {
  it("never has two pods, and ends in the last wish", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plain, { maxLength: stepsPerRun }), async (steps) => {
        const world = await World.make();
        world.server.onWrite = () => assert.ok(world.pods.length <= 1, `two pods: ${world.names}`);
        for (const step of steps) await world.take(step);
        await world.settles();
      }),
      { numRuns: runs },
    );
  });

  it("ends in the last wish also when a leader that was deposed acts late", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(withTwoLeaders, { maxLength: stepsPerRun }), async (steps) => {
        const world = await World.make();
        for (const step of steps) await world.take(step);
        await world.settles();
      }),
      { numRuns: runs },
    );
  });
});

class World {
  readonly server: TestServer;
  readonly #clock: TestClock;
  #term = 1;
  #leader: TestLeader;
  /** One that was deposed, and may not know yet. */
  #late: TestLeader | undefined;

  static async make(): Promise<World> {
    const clock = new TestClock();
    const server = new TestServer(clock.now);
    const spec = { group: "helper", key: { kind: "Group" }, wake: { wanted: false, epoch: 0 } };
    await server.create(sessions, { apiVersion, kind: "Session", metadata: place, spec });
    return new World(server, clock);
  }

  private constructor(server: TestServer, clock: TestClock) {
    this.server = server;
    this.#clock = clock;
    this.#leader = this.#newLeader();
  }

  get pods(): KubeObject[] {
    return this.server.list("pods");
  }

  get names(): string {
    return this.pods.map(({ metadata }) => metadata.name).join();
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "wake":
        return this.#wish({ wake: { wanted: true, epoch: this.#epoch + 1 } });
      case "sleep":
        return this.#wish({ wake: { wanted: false } });
      case "suspend":
      case "resume":
        return this.#wish({ suspended: step.kind === "suspend" });
      case "start":
      case "end":
      case "evict":
      case "remove":
        return await this.#kubelet(step.kind);
      case "replace":
        return await this.#replace();
      case "reconcile":
        return await this.#reconcile();
      case "late":
        return await this.#late?.reconcile(key);
      case "hear":
        return (step.late ? this.#late : this.#leader)?.hear(step.plural, step.most);
      case "pass":
        return this.#clock.pass(step.ms);
      case "die":
        return this.#leader.dieAt(step);
      case "depose":
        this.#leader.depose();
        this.#late = this.#leader;
        this.#leader = this.#newLeader();
    }
  }

  /** Nothing random happens any more: then, what is wanted comes true, and stays so without a write. */
  async settles(): Promise<void> {
    this.#late = undefined;
    await this.#converge();
    const isAwake = this.#isWanted && !(this.#status.phase === "Failed" && this.#status.epoch === this.#epoch);
    this.#isAs(isAwake);
    await this.take({ kind: "resume" });
    await this.take({ kind: "wake" });
    await this.#converge();
    this.#isAs(true);
    const writes = this.server.changes.length;
    await this.#leader.reconcile(key);
    assert.equal(this.server.changes.length, writes, "it is quiet");
  }

  #isAs(isAwake: boolean): void {
    assert.equal(this.names, isAwake ? podNameOf("helper-1", this.#epoch) : "");
    const { phase, podUid, epoch } = this.#status;
    assert.equal(podUid, this.pods[0]?.metadata.uid);
    if (isAwake) assert.deepEqual([phase, epoch], ["Awake", this.#epoch]);
    else assert.ok(phase === "Asleep" || phase === "Failed", `phase ${phase}`);
  }

  async #converge(): Promise<void> {
    for (let round = 0; round < 12; round += 1) {
      this.#clock.pass(20_000);
      for (const plural of ["pods", "sessions"] as const) this.#leader.hear(plural, Number.POSITIVE_INFINITY);
      await this.#reconcile();
      await this.#kubelet("start");
      await this.#kubelet("end");
    }
    for (const plural of ["pods", "sessions"] as const) this.#leader.hear(plural, Number.POSITIVE_INFINITY);
  }

  async #reconcile(): Promise<void> {
    await this.#leader.reconcile(key);
    if (this.#leader.isDead) this.#leader = this.#newLeader();
  }

  #newLeader(): TestLeader {
    this.#term += 1;
    return new TestLeader(this.server, this.#term, this.#clock);
  }

  #wish(spec: object): void {
    this.server.write(sessions, { metadata: place }, { spec });
  }

  /** Somebody deletes the Session, whose pod the garbage collector ends; the router makes it anew, as it was. */
  async #replace(): Promise<void> {
    const { metadata: _, status: __, ...session } = this.#session;
    await this.server.delete(sessions, place);
    await this.#kubelet("remove");
    await this.server.create(sessions, { ...session, metadata: place });
  }

  async #kubelet(act: "start" | "end" | "evict" | "remove"): Promise<void> {
    for (const pod of this.pods) {
      const { namespace, name = "", deletionTimestamp } = pod.metadata;
      if (act === "end" && deletionTimestamp !== undefined) {
        await this.server.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
      } else if (act === "remove") await this.server.delete(pods, { namespace, name });
      else if (deletionTimestamp === undefined && act !== "end") this.server.write(pods, pod, said[act]);
    }
  }

  get #session(): KubeObject {
    return this.server.list("sessions")[0] ?? assert.fail("the Session is gone");
  }

  get #status() {
    return readStatus(this.#session.status);
  }

  get #spec(): { readonly suspended?: boolean; readonly wake: { readonly wanted: boolean; readonly epoch: number } } {
    return Object(this.#session.spec);
  }

  get #epoch(): number {
    return this.#spec.wake.epoch;
  }

  get #isWanted(): boolean {
    return this.#spec.wake.wanted && this.#spec.suspended !== true;
  }
}

const containerStatuses = [{ name: "agent", ready: true, restartCount: 0, state: {} }];
const said = {
  start: { spec: { nodeName: "node-1" }, status: { phase: "Running", containerStatuses } },
  evict: { spec: { nodeName: "node-1" }, status: { phase: "Failed", reason: "Evicted", containerStatuses: [] } },
};
