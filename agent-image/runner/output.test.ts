import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseOutput } from "./output.ts";

const messagesOf = (text: string) => parseOutput(text).messages;

describe("a final text", () => {
  it("is its blocks, and a scratchpad around them", () => {
    const text =
      'thinking <internal>x</internal> <message to="family"> Hi\n</message><message to="nobody">lost</message> bye';
    assert.deepEqual(parseOutput(text), {
      messages: [
        { to: "family", text: "Hi" },
        { to: "nobody", text: "lost" },
      ],
      scratchpad: "thinking   bye",
      internal: true,
    });
  });

  it("keeps a closing tag that a message quotes", () => {
    assert.deepEqual(messagesOf('<message to="a">write </message> at the end</message><message to="b">ok</message>'), [
      { to: "a", text: "write </message> at the end" },
      { to: "b", text: "ok" },
    ]);
  });

  it("takes other quotes, spaces and attributes around the name", () => {
    for (const tag of [`<message to='a'>`, `<message to = "a" >`, `<message\n  kind="x" to=a>`, `<MESSAGE TO="a">`]) {
      assert.deepEqual(messagesOf(`${tag}x</message >`), [{ to: "a", text: "x" }], tag);
    }
  });

  it("drops empty blocks, and takes one without a name or an end for text outside", () => {
    assert.deepEqual(messagesOf('<message to="a"> \n</message>'), []);
    assert.deepEqual(parseOutput("<message>x</message>").scratchpad, "<message>x</message>");
    assert.deepEqual(parseOutput('<message to="a">x').scratchpad, '<message to="a">x');
  });

  it("never delivers what is internal, neither around a message nor in it", () => {
    assert.deepEqual(messagesOf('<internal><message to="a">draft</message></internal>'), []);
    assert.deepEqual(messagesOf('<message to="a">x<internal>y</internal>z</message>'), [{ to: "a", text: "xz" }]);
    const quoted =
      '<message to="a">the tag <internal> is</message> <internal><message to="b">draft</message></internal>';
    assert.deepEqual(messagesOf(quoted), [{ to: "a", text: "the tag <internal> is" }]);
  });

  it("gives back every message that was written in blocks", () => {
    const name = fc.stringMatching(/^[a-z0-9-]{1,10}$/);
    const text = fc
      .array(fc.constantFrom("a", " ", "</message>", "<", "&", "\n", "<b>"))
      .map((parts) => `x${parts.join("")}x`);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text)), (pairs) => {
        const messages = pairs.map(([to, said]) => ({ to, text: said }));
        const output = messages.map((message) => `<message to="${message.to}">${message.text}</message>`).join(" and ");
        assert.deepEqual(messagesOf(output), messages);
      }),
    );
  });

  it("can be any string", () => {
    const piece = fc.constantFrom("<message to=", '"a"', ">", "</message>", "<internal>", "</internal>", "x", " ", "<");
    const hostile = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string({ unit: "binary" })), (text) => {
        for (const message of messagesOf(text)) {
          assert.notEqual(message.text.trim(), "");
          assert.doesNotMatch(message.text, /<internal>.*<\/internal>/s);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is read in a time that grows with its length, not faster", () => {
    const bait = ["<message ", '<message to="a">', "<internal>", "</message>", '<message to="a">x</message>', "<", " "];
    const millisecondsOf = (text: string): number => {
      const start = performance.now();
      parseOutput(text);
      return performance.now() - start;
    };
    for (const piece of bait) {
      const text = piece.repeat(50_000);
      // Quadratic would be many times that.
      assert.ok(millisecondsOf(text) < 5_000, `${piece} took too long`);
    }
  });
});
