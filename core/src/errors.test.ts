import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { z } from "zod";
import { CopepodError, codeOf, errorCatalogue, errorCodes, parseInput } from "./errors.ts";

const page = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");

describe("the catalogue of codes", () => {
  for (const code of errorCodes) {
    it(`documents ${code}, with a meaning and a cure`, () => {
      const { status, meaning, cure } = errorCatalogue[code];
      assert.ok(status >= 400 && status < 600);
      for (const text of [code, meaning, cure]) assert.ok(page.includes(text), text);
    });
  }

  it("knows every code that the page lists", () => {
    const listed = [...page.matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code);
    assert.deepEqual(new Set(listed), new Set<string>(errorCodes));
  });
});

describe("errors", () => {
  it("calls whatever is not ours internal", () => {
    assert.equal(codeOf(new TypeError("x")), "internal");
    assert.equal(codeOf(new CopepodError("conflict", "x")), "conflict");
  });

  it("names where the input is wrong", () => {
    const schema = z.object({ a: z.object({ b: z.int() }) });
    assert.throws(() => parseInput(schema, { a: { b: "x" } }), { code: "invalid", message: /^a\.b: / });
  });
});
