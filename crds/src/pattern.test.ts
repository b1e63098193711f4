import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compilePattern } from "./pattern.ts";

describe("a pattern", () => {
  it("is searched for anywhere in the text, and case matters", () => {
    const pattern = compilePattern("\\bbot\\b");
    assert.equal(pattern?.test("hey bot!"), true);
    assert.equal(pattern?.test("hey Bot!"), false);
    assert.equal(pattern?.test("robots"), false);
  });

  it("takes time that grows with the text only, whatever the pattern", () => {
    const text = "a".repeat(20_000);
    for (const source of ["(a+)+b", "(a|aa)+b", ".*.*.*.*b"]) {
      const started = performance.now();
      assert.equal(compilePattern(source)?.test(text), false);
      assert.ok(performance.now() - started < 1_000, source);
    }
  });

  it("is undefined at once when it is far too long, whatever it says", () => {
    for (const token of ["a.", "(", "[a", "\\d-", "a?", "{1"]) {
      assert.equal(compilePattern(token.repeat(500_000)), undefined);
    }
  });

  it("is undefined when it is no regular expression, or one that could not be fast", () => {
    for (const source of ["(", "*", "[b-a]", "a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>"]) {
      assert.equal(compilePattern(source), undefined, source);
    }
  });
});
