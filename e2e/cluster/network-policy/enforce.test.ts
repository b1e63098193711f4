import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Store } from "@copepod/kube/cache/store";
import { until } from "../../support/until.ts";
import { type EnforceDeps, enforce } from "./enforce.ts";
import { type Namespace, type Pod, parsePod } from "./pod.ts";
import { type Policy, parsePolicy } from "./policy.ts";

/** A synced cache without an API server behind it. */
function kept<T>() {
  const store = new Store<T>({ indexes: {}, onListenerError: (error) => assert.fail(String(error)) });
  store.replace(new Set(), []);
  const set = (key: string, value: T) => store.put(store.stage(key, undefined, value));
  return { store, set };
}

const podAt = (address: string, labels: Record<string, string> = {}) =>
  parsePod({ metadata: { namespace: "shop", name: "web", labels }, spec: {}, status: { podIP: address } });
const policyOf = (name: string, spec: object) => parsePolicy({ metadata: { namespace: "shop", name }, spec });
const denyAll = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };

function start(apply: EnforceDeps["apply"]) {
  const [pods, namespaces, policies] = [kept<Pod>(), kept<Namespace>(), kept<Policy>()];
  const caches = { pods: pods.store, namespaces: namespaces.store, policies: policies.store };
  const warnings: string[] = [];
  const life = new AbortController();
  const log = { info: () => {}, warn: (_: object, message: string) => void warnings.push(message) };
  return { pods, policies, warnings, life, ended: enforce({ ...caches, apply, log }, life.signal) };
}

describe("the enforcer", () => {
  it("applies the latest state once more, however much changes while a table is being applied", async () => {
    const tables: string[] = [];
    const gate = Promise.withResolvers<void>();
    const { pods, policies, life, ended } = start(async (table) => {
      tables.push(table);
      await gate.promise;
    });
    await until("the first table", () => tables.length === 1);
    policies.set("deny", policyOf("deny", denyAll));
    for (let last = 2; last < 50; last += 1) pods.set(`pod-${last}`, podAt(`10.244.0.${last}`));
    gate.resolve();
    await until("the second table", () => tables.length === 2);
    assert.match(tables[1] ?? "", /10\.244\.0\.49 : goto/);
    pods.set("pod-50", podAt("10.244.0.50"));
    await until("the third table", () => tables.length === 3);
    assert.match(tables[2] ?? "", /10\.244\.0\.50 : goto/);
    life.abort();
    await ended;
  });

  it("applies nothing when a change makes no difference, and nothing after its end", async () => {
    const tables: string[] = [];
    const { pods, policies, life, ended } = start(async (table) => void tables.push(table));
    policies.set("deny", policyOf("deny", denyAll));
    pods.set("one", podAt("10.244.0.2"));
    await until("the pod's table", () => tables.at(-1)?.includes("10.244.0.2"));
    const count = tables.length;
    pods.set("one", podAt("10.244.0.2", { unread: "label" }));
    pods.set("two", podAt("10.244.0.3"));
    await until("the other pod's table", () => tables.at(-1)?.includes("10.244.0.3"));
    assert.equal(tables.length, count + 1);
    life.abort();
    await ended;
    pods.set("three", podAt("10.244.0.4"));
    await new Promise(setImmediate);
    assert.equal(tables.length, count + 1);
  });

  it("says once which policy it refuses and why", async () => {
    const tables: string[] = [];
    const { pods, policies, warnings, life, ended } = start(async (table) => void tables.push(table));
    policies.set("odd", policyOf("odd", { podSelector: {}, ingress: [{ ports: [{ protocol: "SCTP", port: 1 }] }] }));
    pods.set("one", podAt("10.244.0.2"));
    await until("the pod's table", () => tables.at(-1)?.includes("10.244.0.2"));
    pods.set("two", podAt("10.244.0.3"));
    await until("the other pod's table", () => tables.at(-1)?.includes("10.244.0.3"));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^shop\/odd is not enforced as written.*spec\.ingress\.0\.ports\.0\.protocol/);
    life.abort();
    await ended;
  });

  it("ends with the complaint when a table is not taken", async () => {
    const { ended } = start(() => Promise.reject(new Error("no such file")));
    await assert.rejects(ended, /no such file/);
  });
});
