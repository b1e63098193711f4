import assert from "node:assert/strict";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { groupObjectName, labels, operatorName } from "@copepod/core/cluster";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { isNotFound } from "@copepod/kube/errors";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { agentGroups, pods, sessions, volumeClaims } from "@copepod/operator/resources";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { crdsFolder, readCrds, startWithKinds } from "../../crds/judge.ts";
import { until } from "../../support/until.ts";
import { Keepers } from "./keepers.ts";
import { conditionOf, countsOf } from "./read.ts";

const core = (kind: string, plural: string, namespaced: boolean): Resource => ({
  ...{ group: "", version: "v1", kind, plural, namespaced },
});
const namespaces = core("Namespace", "namespaces", false);
export const secrets = core("Secret", "secrets", true);
const classes: Resource = { ...core("StorageClass", "storageclasses", false), group: "storage.k8s.io" };

/** Each look lets this much time pass, so that nobody waits for intervals of seconds. */
const lookMs = 200;
const patienceMs = 15_000;
/** Longer than the intervals at which names, Secrets and somebody else's objects are looked at again. */
export const longMs = 10 * 60_000;

/** Tests run one after the other, each in a namespace of its own. */
const spaces = Array.from({ length: 14 }, (_, at) => `agents-${at}`);

/** A control plane with the controllers, and people who write resources. */
export class Stage implements AsyncDisposable {
  readonly server: KubeClient;
  keepers: Keepers;
  /** What the name server knows. */
  readonly hosts: Map<string, readonly string[]>;
  readonly #plane: ControlPlane;
  #used = 0;

  private constructor({
    plane,
    server,
    keepers,
    hosts,
  }: Pick<Stage, "server" | "keepers" | "hosts"> & { plane: ControlPlane }) {
    this.#plane = plane;
    this.server = server;
    this.keepers = keepers;
    this.hosts = hosts;
  }

  static async start(): Promise<Stage> {
    const plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    const server = createKubeClient({ identity, userAgent: "people/1", clock: systemClock, random: Math.random });
    await Promise.all(spaces.map(async (name) => await server.create(namespaces, { metadata: { name } })));
    for (const name of ["grows", "fixed"]) {
      const storageClass = { provisioner: "example.dev/disk", allowVolumeExpansion: name === "grows" };
      await server.create(classes, { metadata: { name }, ...storageClass });
    }
    const hosts = new Map<string, readonly string[]>([["model.lan", ["10.7.0.2", "10.7.0.1", "169.254.169.254"]]]);
    return new Stage({ plane, server, keepers: keepersOn(plane, hosts), hosts });
  }

  /** The next leader takes over. */
  async restart(): Promise<void> {
    await this.keepers[Symbol.asyncDispose]();
    this.keepers = keepersOn(this.#plane, this.hosts);
    await until("the next leads", () => this.keepers.logged.some((line) => line.startsWith("leads")));
  }

  open(): Space {
    return new Space(this, spaces[this.#used++] ?? assert.fail("more namespaces are needed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keepers[Symbol.asyncDispose]();
    await this.server.close();
    await this.#plane[Symbol.asyncDispose]();
  }
}

const keepersOn = (plane: ControlPlane, hosts: ReadonlyMap<string, readonly string[]>): Keepers =>
  new Keepers({
    ...{ plane, namespaces: spaces, lookup: async (host) => hosts.get(host) ?? [] },
    mountPolicy: { allow: [{ claimNames: ["data-*"], readOnly: true }] },
  });

/** A namespace that no other test uses, and what is done in it. */
class Space {
  readonly namespace: string;
  readonly #stage: Stage;

  constructor(stage: Stage, namespace: string) {
    this.#stage = stage;
    this.namespace = namespace;
  }

  async put(resource: Resource, name: string, fields: object, marks: object = {}): Promise<void> {
    const object = { metadata: { namespace: this.namespace, name, ...marks }, ...fields };
    await this.#stage.server.apply(resource, object, { fieldManager: "people", force: true });
  }

  async group(name: string, spec: object = {}): Promise<void> {
    await this.put(agentGroups, name, { spec });
  }

  async session(name: string, group: string): Promise<void> {
    await this.put(sessions, name, { spec: { group, key: { kind: "Conversation", conversation: name } } });
  }

  async get(resource: Resource, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.#stage.server.get(resource, { namespace: this.namespace, name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async patchStatus(resource: Resource, name: string, status: object): Promise<void> {
    await this.#stage.server.mergePatch(
      resource,
      { namespace: this.namespace, name, subresource: "status" },
      { status },
    );
  }

  /** As if the volume of a group had come. */
  async bind(group: string): Promise<void> {
    const status = { phase: "Bound", accessModes: ["ReadWriteOnce"] };
    await this.patchStatus(volumeClaims, groupObjectName(group), status);
  }

  /** A pod as the operator labels it; no kubelet runs it. */
  async pod(name: string, group: string): Promise<{ remove(): Promise<void> }> {
    const { server } = this.#stage;
    const { namespace } = this;
    const metadata = { namespace, name, labels: { [labels.managedBy]: operatorName, [labels.group]: group } };
    const spec = { serviceAccountName: groupObjectName(group), containers: [{ name: "agent", image: "agent" }] };
    await server.create(pods, { metadata, spec });
    return { remove: async () => await server.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }) };
  }

  /** What a controller manager does once no pod has the claim. */
  async release(claim: string): Promise<void> {
    const place = { namespace: this.namespace, name: claim };
    await this.#stage.server.mergePatch(volumeClaims, place, { metadata: { finalizers: [] } });
  }

  /** Deletes, and waits until it is gone. */
  async remove(resource: Resource, name: string): Promise<void> {
    if (resource === volumeClaims) await this.release(name);
    await this.#stage.server.delete(resource, { namespace: this.namespace, name });
    await until(`${name} is gone`, async () => (await this.get(resource, name)) === undefined);
  }

  /** Waits for a condition, such as `False Conflict`; undefined = nothing is said of the type. */
  async when(resource: Resource, name: string, type: string, expected: string | undefined): Promise<KubeObject> {
    let last: KubeObject | undefined;
    const look = async () => {
      this.#pass();
      last = await this.get(resource, name);
      return last && conditionOf(last, type) === expected && last;
    };
    return await until(`${name}: ${type} is ${expected}`, look, patienceMs).catch((error: unknown) => {
      throw new Error(JSON.stringify(last?.status), { cause: error });
    });
  }

  async counted(group: string, counts: object): Promise<void> {
    await until(`${group} has ${JSON.stringify(counts)}`, async () => {
      this.#pass();
      return isDeepStrictEqual(countsOf(await this.get(agentGroups, group)), counts);
    });
  }

  /** Writes of the controllers in the namespace, once all that they have to do is done. */
  async writes(): Promise<readonly string[]> {
    const read = async () =>
      (await this.#stage.keepers.writes()).filter((line) => line.includes(` ${this.namespace}/`));
    let before = await read();
    await until("nothing is written any more", async () => {
      this.#stage.keepers.clock.skip(longMs);
      const now = await read();
      const isQuiet = now.length === before.length;
      before = now;
      return isQuiet;
    });
    return before;
  }

  #pass(): void {
    this.#stage.keepers.check();
    this.#stage.keepers.clock.skip(lookMs);
  }
}
