import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Coverage, findOverlap } from "@copepod/core/rule-overlap";
import fc from "fast-check";
import { openRule } from "../testing/proxy.ts";
import { type Asked, compileRule } from "./match.ts";

const methods = ["GET", "POST"];
const hosts = ["a.example", "a.example:8443", "b.a.example", "b.a.example:8443", "c.b.a.example", "ba.example"];
const wildcards = ["*.a.example", "*.b.a.example"];
const segments = ["a", "b", ""];

/** All paths of one to three of the segments. */
const paths = below(3);

function below(depth: number): string[] {
  return depth === 0
    ? []
    : segments.flatMap((name) => [`/${name}`, ...below(depth - 1).map((rest) => `/${name}${rest}`)]);
}

/** Every request that rules of the words above can tell from another. */
const requests: readonly Asked[] = methods.flatMap((method) =>
  hosts.flatMap((host) => paths.map((path) => ({ method, host, path }))),
);

const pathPattern = fc
  .tuple(fc.array(fc.constantFrom(...segments, "*"), { maxLength: 2 }), fc.constantFrom(...segments, "*", "**"))
  .map(([above, last]) => ["", ...above, last].join("/"));

const coverage: fc.Arbitrary<Coverage> = fc.record({
  methods: fc.subarray(methods, { minLength: 1 }),
  hosts: fc.uniqueArray(fc.constantFrom(...hosts, ...wildcards), { minLength: 1, maxLength: 2 }),
  paths: fc.uniqueArray(pathPattern, { minLength: 1, maxLength: 2 }),
});

const compile = (covered: Coverage) => compileRule(openRule("api", "https://a.example", covered));

describe("what a rule matches", () => {
  it("is also matched by another exactly when the two are said to overlap", () => {
    fc.assert(
      fc.property(coverage, coverage, (one, other) => {
        const [a, b] = [compile(one), compile(other)];
        const shared = requests.find((asked) => a.matches(asked) && b.matches(asked));
        assert.equal(findOverlap(one, other) !== undefined, shared !== undefined, JSON.stringify(shared));
      }),
    );
  });

  it("includes what an overlap names, with anything in the place of its wildcards", () => {
    fc.assert(
      fc.property(coverage, coverage, (one, other) => {
        const where = findOverlap(one, other);
        fc.pre(where !== undefined);
        const example = where.replace("*.", "x.").replaceAll(/\*+/g, "x");
        const [, method = "", host = "", path = ""] = /^(\S+) ([^/]+)(.*)$/.exec(example) ?? [];
        const asked = { method, host, path };
        assert.deepEqual([compile(one).matches(asked), compile(other).matches(asked)], [true, true], where);
      }),
    );
  });
});
