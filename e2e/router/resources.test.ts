import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { audiences } from "@copepod/core/cluster";
import { apiGroup, apiVersion } from "@copepod/crds/definition";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { openClusterResources } from "@copepod/router/resources/cluster/cluster-resources";
import type { ResourceStore } from "@copepod/router/resources/resource-store";
import { pino } from "pino";
import { z } from "zod";
import { pluralOf } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { namespace, RouterWorld, rules, user } from "./support/router-world.ts";

const others = "others";
const log = pino({ level: "silent" });

describe("what people decided, on a real API server", { skip: await controlPlaneGate() }, () => {
  let world: RouterWorld;
  /** With the rights of the router. */
  let client: KubeClient;

  before(async () => {
    world = await RouterWorld.start({ idleAfter: "5m" });
    for (const name of [others, "unseen"]) await world.post("/api/v1/namespaces", { metadata: { name } });
    const rbac = "rbac.authorization.k8s.io";
    const path = `/apis/${rbac}/v1/namespaces/${others}`;
    await world.post(`${path}/roles`, { metadata: { name: "router" }, rules });
    await world.post(`${path}/rolebindings`, {
      metadata: { name: "router" },
      roleRef: { kind: "Role", name: "router", apiGroup: rbac },
      subjects: [{ kind: "User", name: user, apiGroup: rbac }],
    });
    const identity = kubeconfig({ files: [join(world.home, "kubeconfig")] });
    client = createKubeClient({ identity, userAgent: "store/1", clock: systemClock, random: Math.random });
  });

  after(async () => {
    await client.close();
    await world[Symbol.asyncDispose]();
  });

  const pathOf = (kind: string, place: string) => `/apis/${apiVersion}/namespaces/${place}/${pluralOf(kind)}`;

  const write = (kind: string, name: string, spec: object, place = namespace) =>
    world.post(pathOf(kind, place), { apiVersion, kind, metadata: { name }, spec });

  /** Other values of an object's spec, or of its status. */
  async function change(kind: string, name: string, part: object, subresource = ""): Promise<void> {
    const path = `${pathOf(kind, namespace)}/${name}`;
    const found = z.looseObject({}).parse((await world.plane.call("GET", path)).body);
    const { status, body } = await world.plane.call("PUT", `${path}${subresource}`, { ...found, ...part });
    assert.equal(status, 200, JSON.stringify(body));
  }

  /** A store of both namespaces, until the end of the test. `changes` counts what was told. */
  async function follow() {
    const reflectors = new Reflectors({ client, clock: systemClock, random: Math.random, log });
    const resources = openClusterResources({ reflectors, namespaces: [namespace, others], log });
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

  it("counts in the followed namespaces, with the defaults, under rights on these only", async () => {
    for (const place of [others, "unseen"]) await write("AgentGroup", "helper", {}, place);
    await write("User", "ann", { identities: ["slack:U1"], roles: [{ role: "Owner" }] });
    await write("Credential", "c", { upstream: { api: "Anthropic" }, secretRef: { name: "s" } });
    await using store = await follow();
    const { agentGroups, channels, wirings, users, credentials } = store.resources.current();
    assert.deepEqual([...agentGroups.keys()].sort(), [`${namespace}/helper`, `${others}/helper`]);
    assert.equal(agentGroups.get(`${namespace}/helper`)?.spec.session.idleAfter, "5m");
    assert.equal(channels.get(`${namespace}/terminal`)?.spec.defaults.unaddressed, "Drop");
    const rest = [wirings, users, credentials].map((map) => [...map.keys()].join(" "));
    assert.deepEqual(
      rest,
      ["terminal", "ann", "c"].map((name) => `${namespace}/${name}`),
    );
    assert.deepEqual([store.resources.problems(), store.reflectors.problem()], [[], undefined]);
    const everywhere = { group: apiGroup, version: "v1alpha1", plural: "users", kind: "User", namespaced: true };
    await assert.rejects(client.page(everywhere), { code: "forbidden" });
  });

  it("changes with the objects, and is the same as before when only a status did", async () => {
    await write("AgentGroup", "changing", {});
    await using store = await follow();
    const key = `${namespace}/changing`;
    const of = ({ agentGroups }: ReturnType<ResourceStore["current"]>) => agentGroups.get(key)?.spec.session.idleAfter;
    const [before, told] = [store.resources.current(), store.told.changes];
    await change("AgentGroup", "changing", { status: { sessions: 1 } }, "/status");
    await change("AgentGroup", "changing", { spec: { session: { idleAfter: "7m" } } });
    await until("the new time counts", () => of(store.resources.current()) === "7m");
    const after = store.resources.current();
    assert.equal(after.users, before.users);
    assert.equal(after.agentGroups.get(`${namespace}/helper`), before.agentGroups.get(`${namespace}/helper`));
    await until("it is told, and the status is not", () => store.told.changes === told + 1);
    await world.plane.call("DELETE", `${pathOf("AgentGroup", namespace)}/changing`);
    await until("it is gone", () => !store.resources.current().agentGroups.has(key));
  });

  it("is not written by the router: whoever applies something does so with rights of their own", async () => {
    await using store = await follow();
    await assert.rejects(store.resources.apply({}), { code: "forbidden", message: /kubectl apply/ });
    await assert.rejects(world.admin.applyResource({ resource: {} }), { code: "forbidden", message: /kubectl apply/ });
  });

  const userOf = (name: string) => `system:serviceaccount:${namespace}:${name}`;
  const say = { namespace, conversation: "main", sender: "owner", text: "hello" };
  const codeOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      ({ code }) => code,
    );

  it("lets in only people with a token for this API", async () => {
    await (await world.person("eva")).history({ namespace, conversation: "main" });
    const wrong = await world.person("mallory", audiences.mailbox);
    await assert.rejects(wrong.history({ namespace, conversation: "main" }), { code: "unauthorized" });
    assert.equal(await codeOf(wrong.status({})), "unauthorized");
  });

  it("says who reaches an agent group, and who may do more: by Users that list the name of the token", async () => {
    await write("AgentGroup", "team", {});
    const [ada, bob] = [await world.person("ada"), await world.person("bob")];
    const ask = { ...say, group: "team", dedupeKey: "1" };
    const refused = { code: "senderUnknown", message: /terminal:system:serviceaccount:agents:ada/ };
    await until("the group is known", async () => (await codeOf(ada.say(ask))) !== "groupMissing");
    await assert.rejects(ada.say(ask), refused);
    const identities = [`terminal:${userOf("ada")}`];
    await write("User", "ada", { identities, roles: [{ role: "Member", group: "team" }] });
    await until("ada is known", async () => (await codeOf(ada.say(ask))) === undefined);
    const texts = async (person: typeof ada) =>
      (await person.history({ namespace, conversation: "main" })).lines.map(({ text, sender }) => [text, sender]);
    assert.deepEqual((await texts(ada)).at(-1), ["hello", userOf("ada")]);
    assert.deepEqual(await texts(bob), []);
    assert.equal(await codeOf(ada.usage({ namespace })), "forbidden");
    await change("User", "ada", { spec: { identities, roles: [{ role: "Owner" }] } });
    await until("ada is the owner", async () => (await codeOf(ada.usage({ namespace }))) === undefined);
    assert.equal(await codeOf(bob.usage({ namespace })), "forbidden");
  });
});
