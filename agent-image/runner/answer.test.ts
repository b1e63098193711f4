import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxBodyBytes, maxMessagesPerFinish, maxTextLength } from "@copepod/core/limits";
import { splitForFinish, toAnswer } from "./answer.ts";
import { parseOutput } from "./output.ts";

const destinations = new Set(["family"]);
const answer = (text: string, sent: { to: string; text: string }[] = []) =>
  toAnswer(parseOutput(text), destinations, sent);

describe("an answer", () => {
  it("is lost when it stands outside of blocks, or goes to nobody known", () => {
    assert.equal(answer("hello").lost, true);
    assert.equal(answer('<message to="nobody">hello</message>').lost, true);
    assert.equal(answer('<message to="family">hello</message> note to self').lost, false);
    assert.equal(answer("done", [{ to: "family", text: "hello" }]).lost, false);
  });

  it("is silent when it says nothing, unless that is marked as meant", () => {
    assert.deepEqual(answer(""), { messages: [], lost: false, silent: true });
    assert.deepEqual(answer("<internal>no</internal>"), { messages: [], lost: false, silent: false });
  });

  it("leaves out what was sent in the turn, and names that can be none", () => {
    const text = '<message to="family">a</message><message to="family">b</message><message to="x\ny">c</message>';
    assert.deepEqual(answer(text, [{ to: "family", text: "a" }]).messages, [{ to: "family", text: "b" }]);
  });
});

describe("messages of one finish", () => {
  it("are the last ones as far as they fit; the others go before", () => {
    const messages = Array.from({ length: maxMessagesPerFinish + 3 }, (_, index) => ({
      to: "family",
      text: `${index}`,
    }));
    const { early, final } = splitForFinish(messages);
    assert.equal(final.length, maxMessagesPerFinish);
    assert.deepEqual([...early, ...final], messages);
  });

  it("stay below the largest body, also when every character takes six bytes of it", () => {
    const messages = Array.from({ length: 20 }, () => ({ to: "family", text: "\u0001".repeat(maxTextLength) }));
    const { early, final } = splitForFinish(messages);
    assert.ok(Buffer.byteLength(JSON.stringify(final)) < maxBodyBytes);
    assert.ok(final.length > 0);
    assert.equal(early.length + final.length, 20);
  });

  it("are parts of a long text, cut at a space or line, never in a character, and without NUL", () => {
    const words = "word ".repeat(30_000);
    const parts = splitForFinish([{ to: "family", text: words }]).final.map((message) => message.text);
    assert.equal(parts.join(""), words);
    assert.ok(parts.slice(0, -1).every((part) => part.length <= maxTextLength && part.endsWith(" ")));
    const faces = splitForFinish([{ to: "family", text: `x${"😀".repeat(40_000)}\0` }]).final.map(
      (message) => message.text,
    );
    assert.ok(faces.every((part) => part.isWellFormed()));
    assert.equal(faces.join(""), `x${"😀".repeat(40_000)}`);
  });
});
