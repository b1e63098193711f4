import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SupervisorClient } from "@copepod/core/supervisor-api";
import { pino } from "pino";
import type { SessionWish } from "../queue/queue-store.ts";
import { buildResources } from "../resources/testing.ts";
import { createRulesTeller, credentialProblems, groupRules } from "./proxy-rules.ts";
import { SupervisorLink } from "./supervisor-link.ts";

const group = (name: string, ...credentials: string[]) => ({
  kind: "AgentGroup",
  metadata: { name },
  spec: { credentials },
});
const credential = (name: string, spec: object = {}) => ({
  kind: "Credential",
  metadata: { name },
  spec: { upstream: { api: "Anthropic" }, ...spec },
});
const wish = (name: string, wanted = true): SessionWish => ({
  ...said(name, wanted),
  key: { kind: "Group", conversation: undefined, thread: undefined },
});
const said = (name: string, wanted = true) => ({
  session: `default/${name}-1`,
  group: `default/${name}`,
  wanted,
  epoch: 1,
});

describe("the rules of running sessions", () => {
  const start = (...documents: object[]) => {
    const world = { resources: buildResources(documents), poked: [] as string[], free: [] as string[] };
    const tell = createRulesTeller({
      store: {
        wishes: async () => [wish("one"), wish("two"), wish("asleep", false)],
        endBackOff: async (group) => void world.free.push(group),
      },
      resources: { current: () => world.resources },
      wishes: { poke: (session) => world.poked.push(session) },
      log: pino({ level: "silent" }),
    });
    return {
      world,
      changeTo: async (...next: object[]) => {
        world.resources = buildResources(next);
        tell();
        await new Promise((resolve) => setImmediate(resolve));
        return world.poked.splice(0);
      },
    };
  };

  it("are said again for the groups that name a changed Credential, and for no other", async () => {
    const groups = [group("one", "anthropic"), group("two"), group("asleep", "anthropic")];
    const { changeTo } = start(...groups, credential("anthropic"));
    assert.deepEqual(await changeTo(...groups, credential("anthropic", { revision: 1 })), ["default/one-1"]);
    assert.deepEqual(await changeTo(...groups, credential("anthropic", { revision: 1 }), credential("other")), []);
  });

  it("of a group that is there again keep no session from starting", async () => {
    const { world, changeTo } = start(group("one"), group("two"));
    await changeTo(group("two"));
    assert.deepEqual(world.free, []);
    await changeTo(group("one"), group("two", "missing"));
    assert.deepEqual(world.free, ["default/one"]);
  });

  it("are said again when a Credential or the whole group is gone", async () => {
    const { changeTo } = start(group("one", "anthropic"), group("two"), credential("anthropic"));
    assert.deepEqual(await changeTo(group("one", "anthropic"), group("two")), ["default/one-1"]);
    assert.deepEqual(await changeTo(group("one", "anthropic")), ["default/two-1"]);
  });

  it("go with every wish, and are empty for a group that does not exist", async () => {
    const heard: object[] = [];
    const none = async () => assert.fail("not asked for");
    const client: SupervisorClient = {
      putWanted: async (input) => {
        heard.push(input);
        return {};
      },
      putChannels: none,
      watch: none,
    };
    const resources = buildResources([group("one", "anthropic"), credential("anthropic")]);
    const deps = { client, resources: { current: () => resources }, random: () => 0, log: pino({ level: "silent" }) };
    const link = new SupervisorLink(deps);
    await link.put(wish("one"));
    await link.put(wish("two"));
    assert.deepEqual(heard, [
      { ...said("one"), rules: groupRules(resources, "default/one").rules, team: [] },
      { ...said("two"), rules: { group: "two", upstreams: [], rules: [] }, team: [] },
    ]);
    assert.equal(groupRules(resources, "default/one").rules.upstreams[0]?.name, "anthropic");
  });
});

describe("credentials that a group does not get", () => {
  it("are named with the place and the reason", () => {
    const resources = buildResources([
      group("one", "gone", "a", "b"),
      credential("a"),
      credential("b", { upstream: { api: "Anthropic", subscription: true } }),
    ]);
    const place = { namespace: "default", file: "AgentGroup one" };
    assert.deepEqual(credentialProblems(resources), [
      { ...place, path: "spec.credentials[0]", reason: "the Credential “gone” does not exist" },
      {
        ...place,
        path: "spec.credentials[2]",
        reason: "“b” is left out: “a” before it has POST api.anthropic.com/v1/messages already",
      },
    ]);
  });
});
