import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Resource } from "../object.ts";
import { describeCall, type Place, pathOf, type Query } from "./paths.ts";

const pods: Resource = { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true };
const nodes: Resource = { group: "", version: "v1", kind: "Node", plural: "nodes", namespaced: false };
const leases: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

describe("a path", () => {
  const cases: readonly (readonly [Resource, Place, Query, string])[] = [
    [pods, {}, {}, "/api/v1/pods"],
    [pods, { namespace: "a" }, { watch: true, limit: undefined }, "/api/v1/namespaces/a/pods?watch=true"],
    [pods, { namespace: "a", name: "b", subresource: "status" }, {}, "/api/v1/namespaces/a/pods/b/status"],
    [nodes, { namespace: "a", name: "b" }, {}, "/api/v1/nodes/b"],
    [leases, { namespace: "a", name: "b/c?d" }, {}, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b%2Fc%3Fd"],
    [pods, {}, { labelSelector: "a=b,c!=d" }, "/api/v1/pods?labelSelector=a%3Db%2Cc%21%3Dd"],
  ];
  for (const [resource, place, query, path] of cases) {
    it(path, () => assert.equal(pathOf(resource, place, query), path));
  }

  for (const name of ["", ".", ".."]) {
    it(`is not made of "${name}"`, () => {
      assert.throws(() => pathOf(pods, { namespace: "a", name }, {}), { code: "invalid" });
      assert.throws(() => pathOf(pods, { namespace: name, name: "b" }, {}), { code: "invalid" });
    });
  }
});

describe("the description of a call", () => {
  it("names verb, resource, subresource and object", () => {
    assert.equal(describeCall("list", pods, {}), "list pods");
    assert.equal(
      describeCall("get", pods, { namespace: "a", name: "b", subresource: "status" }),
      "get pods/status a/b",
    );
  });
});
