import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "@copepod/kube/object";
import { compile } from "./compile.ts";
import { parsePod } from "./pod.ts";
import { parsePolicy } from "./policy.ts";

const pod = (labels: Record<string, string>, more: { metadata?: object; spec?: object; status?: object } = {}) => ({
  metadata: { namespace: "shop", name: "any", labels, ...more.metadata },
  spec: { ...more.spec },
  status: { podIP: "10.244.0.2", ...more.status },
});
const policies = [
  parsePolicy({ metadata: { namespace: "shop", name: "one" }, spec: { podSelector: { matchLabels: { app: "web" } } } }),
  parsePolicy({ metadata: { namespace: "shop", name: "two" }, spec: { podSelector: { matchLabels: { app: "db" } } } }),
];
const tableOf = (pods: readonly KubeObject[], of = policies) =>
  compile({ pods: pods.map(parsePod), namespaces: [], policies: of });

describe("the table of the policies", () => {
  it("is the same text for the same state in another order", () => {
    const pods = [pod({ app: "web" }), pod({ app: "db" }, { status: { podIP: "10.244.0.3" } })];
    assert.equal(tableOf(pods), tableOf(pods.toReversed(), policies.toReversed()));
    assert.notEqual(tableOf(pods), tableOf(pods.slice(1)));
  });

  it("gives an address to the pod that stays, not to one that has ended or is leaving", () => {
    const staying = tableOf([pod({ app: "web" })]);
    const leaving = pod({ app: "db" }, { metadata: { deletionTimestamp: "2030-01-01T00:00:00Z" } });
    const ended = pod({ app: "db" }, { status: { phase: "Succeeded" } });
    for (const other of [leaving, ended]) {
      assert.equal(tableOf([other, pod({ app: "web" })]), staying);
      assert.equal(tableOf([pod({ app: "web" }), other]), staying);
    }
    assert.notEqual(tableOf([leaving]), tableOf([]), "a leaving pod stays isolated while nobody else has its address");
  });

  it("leaves out pods without an address of their own", () => {
    assert.equal(tableOf([pod({ app: "web" }, { spec: { hostNetwork: true } })]), tableOf([]));
    assert.equal(tableOf([pod({ app: "web" }, { status: { podIP: undefined } })]), tableOf([]));
    assert.equal(tableOf([pod({ app: "web" }, { status: { podIP: "fd00::2" } })]), tableOf([]));
  });
});
