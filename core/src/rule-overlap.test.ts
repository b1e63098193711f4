import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Coverage, findOverlap } from "./rule-overlap.ts";

const covering = (host: string, path: string, method = "GET"): Coverage => ({
  hosts: [host],
  paths: [path],
  methods: [method],
});

const meeting: readonly (readonly [what: string, one: Coverage, other: Coverage, where: string])[] = [
  ["the same", covering("a.example", "/x"), covering("a.example", "/x"), "GET a.example/x"],
  ["a name below a wildcard", covering("*.a.example", "/x"), covering("b.c.a.example", "/x"), "GET b.c.a.example/x"],
  [
    "wildcards within each other",
    covering("*.a.example", "/x"),
    covering("*.b.a.example", "/x"),
    "GET *.b.a.example/x",
  ],
  ["any segment", covering("a.example", "/*/b"), covering("a.example", "/a/*"), "GET a.example/a/b"],
  ["all below", covering("a.example", "/a/**"), covering("a.example", "/a/b/c"), "GET a.example/a/b/c"],
  ["all below all below", covering("a.example", "/**"), covering("a.example", "/a/**"), "GET a.example/a/**"],
  ["the slash at the end", covering("a.example", "/a/**"), covering("a.example", "/a/"), "GET a.example/a/"],
];

const apart: readonly (readonly [what: string, one: Coverage, other: Coverage])[] = [
  ["another method", covering("a.example", "/x"), covering("a.example", "/x", "POST")],
  ["another host", covering("a.example", "/x"), covering("b.example", "/x")],
  ["another port", covering("a.example", "/x"), covering("a.example:8443", "/x")],
  ["a port below a wildcard, which has none", covering("*.a.example", "/x"), covering("b.a.example:8443", "/x")],
  ["the name above a wildcard", covering("*.a.example", "/x"), covering("a.example", "/x")],
  ["a name that only ends alike", covering("*.a.example", "/x"), covering("ba.example", "/x")],
  ["another path", covering("a.example", "/a/*"), covering("a.example", "/b/a")],
  ["a longer path", covering("a.example", "/a/*"), covering("a.example", "/a/b/c")],
  ["no segment at all", covering("a.example", "/a/*"), covering("a.example", "/a/")],
  ["the path above", covering("a.example", "/a/**"), covering("a.example", "/a")],
];

describe("two rules", () => {
  for (const [what, one, other, where] of meeting) {
    it(`meet: ${what}`, () => assert.deepEqual([findOverlap(one, other), findOverlap(other, one)], [where, where]));
  }

  for (const [what, one, other] of apart) {
    it(`do not meet: ${what}`, () => {
      assert.deepEqual([findOverlap(one, other), findOverlap(other, one)], [undefined, undefined]);
    });
  }

  it("meet if any of their hosts, paths and methods do", () => {
    const one = { hosts: ["a.example", "b.example"], paths: ["/x", "/y"], methods: ["GET", "POST"] };
    const other = { hosts: ["c.example", "b.example"], paths: ["/z", "/y"], methods: ["PUT", "POST"] };
    assert.equal(findOverlap(one, other), "POST b.example/y");
  });
});
