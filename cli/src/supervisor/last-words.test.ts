import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLastWords } from "./last-words.ts";

function wordsOf(text: string): string | undefined {
  const words = createLastWords();
  for (const part of text.split("|")) words.hear(part);
  return words.line();
}

describe("last words", () => {
  it("are nothing when nothing was said", () => assert.equal(wordsOf("\n\n"), undefined));

  it("are the last line", () => assert.equal(wordsOf("one\ntw|o\n"), "two"));

  it("are the error above a stack", () => {
    const stack = "file.ts:1\n  throw x\n  ^\n\nTypeError: x is not y\n    at a (b.ts:1:1)\n\nNode.js v26.10.0\n";
    assert.equal(wordsOf(stack), "TypeError: x is not y");
  });

  it("are the message of a JSON log line", () => {
    assert.equal(
      wordsOf('{"level":60,"msg":"cannot start","err":{"message":"disk is full"}}'),
      "cannot start: disk is full",
    );
  });

  it("are bounded", () => assert.equal(wordsOf("x".repeat(100_000))?.length, 500));
});
