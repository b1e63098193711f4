import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SharedStrings } from "./shared-strings.ts";

describe("shared strings", () => {
  it("leave every value equal to what it was", () => {
    const strings = new SharedStrings();
    const text = JSON.stringify({
      list: ["registry.example.com/image:1", { nested: ["registry.example.com/image:1"] }, 1, null, true],
      "": "registry.example.com/image:1",
      long: "x".repeat(10_000),
      empty: {},
      none: null,
    });
    for (let round = 0; round < 3; round++) {
      const value: unknown = JSON.parse(text);
      strings.shareIn(value);
      assert.equal(JSON.stringify(value), text);
    }
  });

  it("take an object as deep as the API server does, and look not that deep", () => {
    const deep: unknown = JSON.parse(`${'{"a":'.repeat(9_900)}1${"}".repeat(9_900)}`);
    new SharedStrings().shareIn(deep);
  });

  it("do not grow for ever", () => {
    const strings = new SharedStrings();
    for (let n = 0; n < 20_000; n++) strings.shareIn({ uid: `some-unique-value-${n}` });
    assert.ok(strings.size <= 4_096);
  });
});
