import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { destinationName, keyOf, splitKey } from "./addresses.ts";

describe("the name of a destination", () => {
  const cases = [
    { from: "Family", name: "family" },
    { from: "  Über  Café ☕ ", name: "u-ber-cafe" },
    { from: "日本", name: "unnamed" },
    { from: "x".repeat(90), name: "x".repeat(40) },
  ];
  for (const { from, name } of cases) {
    it(`is ${name} for “${from.slice(0, 20)}”`, () => assert.equal(destinationName(from, new Set()), name));
  }

  it("gets a number when the name is taken", () => {
    assert.equal(destinationName("Family", new Set(["family", "family-2"])), "family-3");
  });
});

describe("a row key", () => {
  it("splits at its first slash", () => {
    assert.deepEqual(splitKey(keyOf("default", "a/b")), { namespace: "default", name: "a/b" });
  });
});
