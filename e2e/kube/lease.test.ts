import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import { leaseResource } from "@copepod/kube/lease/lease-record";
import type { ElectionTimes } from "@copepod/kube/lease/options";
import type { KubeObject } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import type { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { configMaps } from "./example/copier.ts";
import { makeNamespace } from "./support/follower.ts";
import { type Task, targets, termAnnotation, toldSchema } from "./support/lease-candidate.ts";

const times: ElectionTimes = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 300 };
const log = { debug: () => {}, info: () => {}, warn: () => {} };

describe("an election on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;

  before(async () => {
    plane = await startControlPlane();
    server = makeClient();
  });

  after(async () => {
    await server.close();
    await plane[Symbol.asyncDispose]();
  });

  const makeClient = () =>
    createKubeClient({
      identity: kubeconfig({ files: [plane.kubeconfig] }),
      userAgent: "election-test/1",
      clock: systemClock,
      random: Math.random,
    });

  const enter = (namespace: string, candidate: string, more: { clock?: TestClock; signal?: AbortSignal } = {}) => {
    const { clock = systemClock, signal = new AbortController().signal } = more;
    const election = { client: server, lease: { namespace, name: "the-lease" }, candidate, clock, random: Math.random };
    return campaign({ ...election, log, times }, signal);
  };

  const makeTargets = async (namespace: string): Promise<void> => {
    for (const name of targets) await server.create(configMaps, { metadata: { namespace, name } });
  };

  const readTarget = (namespace: string, name: string) => server.get(configMaps, { namespace, name });

  it("gives the Lease to one, and at its release to the next", async () => {
    const namespace = await makeNamespace(server);
    const first = await enter(namespace, "first");
    let secondLeads = false;
    const second = enter(namespace, "second").then((leadership) => {
      secondLeads = true;
      return leadership;
    });
    await first.confirm();
    await until("a few renewals", async () => (await leaseOf(server, namespace)).heldMs >= 3 * times.retryMs);
    assert.equal(secondLeads, false);
    const { spec } = await leaseOf(server, namespace);
    assert.match(String(spec.renewTime), /\.\d{6}Z$/);
    assert.deepEqual([spec.holderIdentity, spec.leaseDurationSeconds, spec.leaseTransitions], ["first", 3, 0]);
    const releasedAt = performance.now();
    await first.release();
    const next = await second;
    assert.ok(performance.now() - releasedAt < times.leaseMs, "a released Lease is not waited for");
    assert.ok(next.term > first.term);
    await next.release();
    assert.equal((await leaseOf(server, namespace)).spec.holderIdentity, undefined);
  });

  it("goes on when a person writes something on the Lease", async () => {
    const namespace = await makeNamespace(server);
    const leadership = await enter(namespace, "holder");
    await server.mergePatch(leaseResource, { namespace, name: "the-lease" }, { metadata: { labels: { seen: "yes" } } });
    await leadership.confirm();
    leadership.check();
    await leadership.release();
  });

  it("stands down when the API server is gone for longer than the renew deadline, and leads again later", async () => {
    const namespace = await makeNamespace(server);
    const first = await enter(namespace, "first");
    await first.confirm();
    const goneAt = performance.now();
    await plane.stopApiServer("SIGKILL");
    await until("it stands down", () => first.signal.aborted, 2 * times.renewDeadlineMs);
    assert.ok(performance.now() - goneAt < times.leaseMs, "later than another could have begun");
    const again = enter(namespace, "again");
    await plane.startApiServer();
    const leadership = await again;
    assert.ok(leadership.term > first.term);
    await leadership.release();
  });

  it("refuses what a paused leader sends after another has taken over, and its leader stands down", async () => {
    const { acts, old } = await takeOver({ fenced: true });
    assert.deepEqual(old.slice(-2), ["refused 409", "stands down"]);
    assert.deepEqual(overlaps(acts), [], "the acts of the two do not overlap");
    assert.deepEqual([...new Set(acts.map(({ by }) => by))], ["a", "b"], "both have acted, one after the other");
  });

  it("would let that write through without the fence: the local guard alone is not enough", async () => {
    const { acts } = await takeOver({ fenced: false });
    assert.notDeepEqual(overlaps(acts), []);
  });

  it("is told by the term of what it reads when its clock stood still with the machine", async () => {
    const namespace = await makeNamespace(server);
    await makeTargets(namespace);
    const sleeping = await enter(namespace, "sleeping", { clock: new TestClock() });
    const fence = new Fence({ client: server, leadership: sleeping, annotation: termAnnotation });
    await fence.mergePatch(configMaps, await readTarget(namespace, "x"), { data: { by: "sleeping" } });
    const next = await enter(namespace, "next");
    const nextFence = new Fence({ client: server, leadership: next, annotation: termAnnotation });
    await nextFence.mergePatch(configMaps, await readTarget(namespace, "x"), { data: { by: "next" } });

    sleeping.check();
    const late = fence.mergePatch(configMaps, await readTarget(namespace, "x"), { data: { by: "sleeping" } });
    await assert.rejects(late, { code: "superseded" });
    assert.ok(sleeping.signal.aborted);
    assert.deepEqual((await readTarget(namespace, "x")).data, { by: "next" });
    await assert.rejects(fence.create(configMaps, { metadata: { namespace, name: "z" } }), { code: "superseded" });
    await assert.rejects(fence.delete(configMaps, await readTarget(namespace, "y")), { code: "superseded" });
    await next.release();
  });

  it("holds creates, status writes and deletes back in the ways that it can", async () => {
    const namespace = await makeNamespace(server);
    await makeTargets(namespace);
    const leadership = await enter(namespace, "holder");
    const fence = new Fence({ client: server, leadership, annotation: termAnnotation });
    const created = await fence.create(configMaps, { metadata: { namespace, name: "z" } });
    assert.equal(created.metadata.annotations?.[termAnnotation], leadership.term);
    await assert.rejects(fence.create(configMaps, { metadata: { namespace, name: "z" } }), { reason: "AlreadyExists" });
    const stale = await readTarget(namespace, "x");
    await server.mergePatch(configMaps, { namespace, name: "x" }, { data: { by: "a person" } });
    await assert.rejects(fence.mergePatch(configMaps, stale, { data: { by: "holder" } }), { status: 409 });
    await assert.rejects(fence.delete(configMaps, stale), { status: 409 });
    await fence.delete(configMaps, created);
    await assert.rejects(readTarget(namespace, "z"), { status: 404 });
    await leadership.release();
  });

  it("is not stopped by a term that somebody made up", async () => {
    const namespace = await makeNamespace(server);
    await makeTargets(namespace);
    const leadership = await enter(namespace, "holder");
    const fence = new Fence({ client: server, leadership, annotation: termAnnotation });
    const forged = { metadata: { annotations: { [termAnnotation]: "9999-01-01T00:00:00Z/0000000001" } } };
    const read = await server.mergePatch(configMaps, { namespace, name: "x" }, forged);
    const written = await fence.mergePatch(configMaps, read, { data: { by: "holder" } });
    assert.equal(written.metadata.annotations?.[termAnnotation], leadership.term);
    leadership.check();
    await leadership.release();
  });

  /**
   * a leads and acts; its next write is decided and about to be sent when its process is stopped, for longer than the lease.
   * b takes over and acts. Then a goes on where it was.
   */
  async function takeOver({ fenced }: { fenced: boolean }) {
    const namespace = await makeNamespace(server);
    await makeTargets(namespace);
    await using history = await History.of(server, namespace);
    const task = { kubeconfig: plane.kubeconfig, namespace, times, fenced };
    await using a = new CandidateProcess({ ...task, candidate: "a" });
    await a.until("wrote");
    await using b = new CandidateProcess({ ...task, candidate: "b" });
    a.say("hold the next write");
    await a.until("writing");
    a.signal("SIGSTOP");
    await b.until("leads");
    await until("b has written both", () => targets.every((name) => history.has("b", name)));
    a.say("let it go");
    a.signal("SIGCONT");
    await a.ended;
    await until("b acts on", () => history.acts.at(-1)?.by === "b");
    return { acts: [...history.acts], old: a.told };
  }
});

interface Act {
  readonly by: string;
  readonly name: string;
}

/** Acts of a leader after a later one has begun to act. */
function overlaps(acts: readonly Act[]): Act[] {
  const takenOverAt = acts.findIndex(({ by }) => by === "b");
  return acts.slice(takenOverAt).filter(({ by }) => by !== "b");
}

/** All acts on both objects, in the order in which the API server has done them. */
class History implements AsyncDisposable {
  readonly acts: Act[] = [];
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  static async of(server: KubeClient, namespace: string): Promise<History> {
    const history = new History();
    const { resourceVersion } = await server.page(configMaps, { namespace });
    history.#watching = history.#follow(server, namespace, resourceVersion).catch(() => undefined);
    return history;
  }

  has(by: string, name: string): boolean {
    return this.acts.some((act) => act.by === by && act.name === name);
  }

  async #follow(server: KubeClient, namespace: string, resourceVersion: string): Promise<void> {
    const options = {
      namespace,
      resourceVersion,
      timeoutSeconds: 300,
      inactivityMs: 300_000,
      signal: this.#stop.signal,
    };
    for await (const event of server.watch(configMaps, options)) {
      if (event.type !== "BOOKMARK") this.#add(event.object);
    }
  }

  #add({ metadata, data }: KubeObject): void {
    // A term without an act is the new leader's first word on the object, and no act yet.
    const by = typeof data === "object" && data !== null && "by" in data ? String(data.by) : undefined;
    if (by !== undefined && metadata.name !== undefined) this.acts.push({ by, name: metadata.name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#watching;
  }
}

type Told = z.output<typeof toldSchema>;

class CandidateProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #events: Told[] = [];
  readonly ended: Promise<void>;

  constructor(task: Task) {
    const program = fileURLToPath(new URL("support/lease-candidate.ts", import.meta.url));
    this.#child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => this.#events.push(toldSchema.parse(JSON.parse(line))));
    this.ended = new Promise((resolve) => lines.once("close", () => resolve()));
  }

  get told(): string[] {
    return this.#events.map(({ event, status }) => (status === undefined ? event : `${event} ${status}`));
  }

  async until(wanted: Told["event"]): Promise<void> {
    await until(`the candidate tells: ${wanted}`, () => this.#events.some(({ event }) => event === wanted));
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/** What the API server has of the Lease, and for how long it was renewed. */
async function leaseOf(server: KubeClient, namespace: string) {
  const object = await server.get(leaseResource, { namespace, name: "the-lease" });
  const spec = Object.fromEntries(Object.entries(object.spec ?? {}));
  return { spec, heldMs: Date.parse(String(spec.renewTime)) - Date.parse(String(spec.acquireTime)) };
}
