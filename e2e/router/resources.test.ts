import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { apiVersion } from "@copepod/crds/definition";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { openClusterResources } from "@copepod/router/resources/cluster/cluster-resources";
import type { ResourceStore } from "@copepod/router/resources/resource-store";
import { pino } from "pino";
import { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { crdsFolder, pluralOf, readCrds, startWithKinds } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";

const namespaces = ["agents", "others"];
const log = pino({ level: "silent" });
const user = "copepod-router-of-a-test";

/** What the router may do with resources: no right on the whole cluster is among it. */
const rules = [
  {
    apiGroups: ["copepod.dev"],
    resources: ["agentgroups", "channels", "wirings", "users", "credentials"],
    verbs: ["list", "watch"],
  },
];

describe("resources on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let client: KubeClient;

  before(async () => {
    plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    for (const name of [...namespaces, "unseen"]) await post("/api/v1/namespaces", { metadata: { name } });
    for (const namespace of namespaces) await grant(namespace);
    const admin = kubeconfig({ files: [plane.kubeconfig] });
    // As the router, with no more rights than its Roles give.
    const identity: typeof admin = async (signal) => {
      const present = await admin(signal);
      return { ...present, headers: { ...present.headers, "impersonate-user": user } };
    };
    client = createKubeClient({ identity, userAgent: "router/1", clock: systemClock, random: Math.random });
  });

  after(async () => {
    await client.close();
    await plane[Symbol.asyncDispose]();
  });

  async function post(path: string, body: object): Promise<void> {
    const { status, body: answer } = await plane.call("POST", path, body);
    assert.equal(status, 201, JSON.stringify(answer));
  }

  async function grant(namespace: string): Promise<void> {
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const apiGroup = "rbac.authorization.k8s.io";
    await post(`${path}/roles`, { metadata: { name: "router" }, rules });
    const subjects = [{ kind: "User", name: user, apiGroup }];
    const roleRef = { kind: "Role", name: "router", apiGroup };
    await post(`${path}/rolebindings`, { metadata: { name: "router" }, roleRef, subjects });
  }

  const pathOf = (kind: string, namespace: string, name = "") =>
    `/apis/${apiVersion}/namespaces/${namespace}/${pluralOf(kind)}/${name}`.replace(/\/$/, "");

  const write = (kind: string, key: readonly [namespace: string, name: string], spec: object) =>
    post(pathOf(kind, key[0]), { apiVersion, kind, metadata: { name: key[1] }, spec });

  /** Takes the place of the object's spec, or of its status. */
  async function change(path: string, part: object, subresource = ""): Promise<void> {
    const found = z.looseObject({}).parse((await plane.call("GET", path)).body);
    const { status, body } = await plane.call("PUT", `${path}${subresource}`, { ...found, ...part });
    assert.equal(status, 200, JSON.stringify(body));
  }

  /** Until the end of the test. `changes` counts what was told. */
  async function follow() {
    const reflectors = new Reflectors({ client, clock: systemClock, random: Math.random, log });
    const resources = openClusterResources({ reflectors, namespaces, log });
    const told = { changes: 0 };
    resources.onChange(() => (told.changes += 1));
    const ending = new AbortController();
    const running = reflectors.run(ending.signal);
    await reflectors.whenSynced();
    // What the first lists brought is told by then.
    await setImmediate();
    const dispose = async () => {
      ending.abort();
      await running;
      await resources[Symbol.asyncDispose]();
    };
    return { reflectors, resources, told, [Symbol.asyncDispose]: dispose };
  }

  const idleAfterOf = (resources: ResourceStore, key: string) =>
    resources.current().agentGroups.get(key)?.spec.session.idleAfter;

  it("are those of the followed namespaces, with the defaults, under rights on these only", async () => {
    await write("AgentGroup", ["agents", "helper"], { session: { idleAfter: "5m" } });
    await write("AgentGroup", ["others", "helper"], {});
    await write("AgentGroup", ["unseen", "helper"], {});
    await write("Channel", ["agents", "terminal"], { type: "terminal" });
    await write("Wiring", ["agents", "w"], { channel: "terminal", conversation: { kind: "Direct" }, group: "helper" });
    await write("User", ["agents", "ada"], { identities: ["terminal:ada"], roles: [{ role: "Owner" }] });
    await write("Credential", ["agents", "c"], { upstream: { api: "Anthropic" }, secretRef: { name: "s" } });
    await using world = await follow();
    const { agentGroups, channels, wirings, users, credentials } = world.resources.current();
    assert.deepEqual([...agentGroups.keys()].sort(), ["agents/helper", "others/helper"]);
    assert.equal(agentGroups.get("agents/helper")?.spec.session.idleAfter, "5m");
    assert.equal(channels.get("agents/terminal")?.spec.defaults.unknownSenders, "Strict");
    assert.deepEqual(
      [...wirings.keys(), ...users.keys(), ...credentials.keys()],
      ["agents/w", "agents/ada", "agents/c"],
    );
    assert.deepEqual(world.resources.problems(), []);
    assert.equal(world.reflectors.problem(), undefined);
    const everywhere = { group: "copepod.dev", version: "v1alpha1", plural: "users", kind: "User", namespaced: true };
    await assert.rejects(client.page(everywhere), { code: "forbidden" });
  });

  it("change with their objects, and are the same as before when only a status did", async () => {
    await write("AgentGroup", ["agents", "changing"], { session: { idleAfter: "5m" } });
    await using world = await follow();
    const [before, told] = [world.resources.current(), world.told.changes];
    const path = pathOf("AgentGroup", "agents", "changing");
    await change(path, { status: { sessions: 1 } }, "/status");
    await change(path, { spec: { session: { idleAfter: "7m" } } });
    await until("the new time counts", () => idleAfterOf(world.resources, "agents/changing") === "7m");
    const after = world.resources.current();
    assert.equal(after.users, before.users);
    assert.notEqual(after.agentGroups, before.agentGroups);
    assert.equal(after.agentGroups.get("others/helper"), before.agentGroups.get("others/helper"));
    await until("it is told, and the status is not", () => world.told.changes === told + 1);
    await plane.call("DELETE", path);
    await until("it is gone", () => !world.resources.current().agentGroups.has("agents/changing"));
  });

  it("are not written by the router: whoever applies one does so with rights of their own", async () => {
    await using world = await follow();
    const helper = { apiVersion, kind: "AgentGroup", metadata: { name: "x", namespace: "agents" }, spec: {} };
    await assert.rejects(world.resources.apply(helper), { code: "forbidden" });
  });
});
