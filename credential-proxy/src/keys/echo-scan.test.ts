import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createNeedles, EchoScan } from "./echo-scan.ts";

const secret = fc.string({ unit: fc.constantFrom("a", "b", "/", "+", "-", "x"), minLength: 12, maxLength: 20 });
const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "+", "-", "x", "\n"), maxLength: 60 });

/** What goes on of the parts; undefined = cut. */
function scan(key: string, parts: readonly string[]): string | undefined {
  const echo = new EchoScan(createNeedles(key));
  let passed = "";
  for (const part of parts) {
    const next = echo.push(Buffer.from(part));
    if (next === undefined) return undefined;
    passed += next;
  }
  return passed + (echo.end() ?? "");
}

const split = (whole: string, cuts: readonly number[]): string[] => {
  const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)).toSorted((a, b) => a - b), whole.length];
  return at.slice(1).map((end, index) => whole.slice(at[index], end));
};

describe("the scan for an echoed key", () => {
  it("finds the key wherever the stream is split, and before any of it has gone on", () => {
    fc.assert(
      fc.property(secret, text, text, fc.array(fc.nat(), { maxLength: 6 }), (key, before, after, cuts) => {
        for (const spelled of [key, Buffer.from(key).toString("base64"), encodeURIComponent(key)]) {
          assert.equal(scan(key, split(before + spelled + after, cuts)), undefined);
        }
      }),
    );
  });

  it("passes everything else on unchanged", () => {
    fc.assert(
      fc.property(secret, text, fc.array(fc.nat(), { maxLength: 6 }), (key, whole, cuts) => {
        fc.pre(!createNeedles(key).isIn(whole));
        assert.equal(scan(key, split(whole, cuts)), whole);
      }),
    );
  });

  it("holds nothing back but what could be the beginning of the key", () => {
    const echo = new EchoScan(createNeedles("sk-0123456789abcdef"));
    assert.equal(String(echo.push(Buffer.from("data: one\n\n"))), "data: one\n\n");
    assert.equal(String(echo.push(Buffer.from("data: sk-01"))), "data: ");
    assert.equal(String(echo.push(Buffer.from("x\n\n"))), "sk-01x\n\n");
    assert.equal(String(echo.push(Buffer.from("sk-sk-sk-0"))), "sk-sk-");
    assert.equal(String(echo.end()), "sk-0");
  });

  it("does not look for a key that is so short that it is a word", () => {
    assert.equal(scan("ollama", ["an ollama answer"]), "an ollama answer");
  });
});
