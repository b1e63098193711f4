import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LineDecoder } from "./lines.ts";

describe("lines of a stream", () => {
  it("stay whole wherever the stream is cut into chunks, also within a character", () => {
    const text = fc.string({ unit: "binary" }).map((line) => line.replaceAll("\n", " "));
    fc.assert(
      fc.property(fc.array(text), fc.array(fc.nat(40)), (lines, cuts) => {
        const decoder = new LineDecoder(10_000);
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const found = chunksOf(bytes, cuts).flatMap((chunk) => decoder.push(chunk));
        decoder.end();
        const expected = lines.filter((line) => line !== "").map((line) => Buffer.from(line).toString());
        assert.deepEqual(found, expected);
      }),
    );
  });

  it("end with an error when the stream ends within one", () => {
    const decoder = new LineDecoder(100);
    assert.deepEqual(decoder.push(Buffer.from('{"a":1}\n{"b"')), ['{"a":1}']);
    assert.throws(() => decoder.end(), /cut in the middle of a line/);
  });

  it("may be as long as the bound and no longer, over chunks too", () => {
    const decoder = new LineDecoder(4);
    assert.deepEqual(decoder.push(Buffer.from("1234\n")), ["1234"]);
    decoder.push(Buffer.from("123"));
    assert.throws(() => decoder.push(Buffer.from("45")), /longer than 4 bytes/);
  });

  it("take about as much memory as they have bytes, however small the chunks are", () => {
    const bytes = 1024 * 1024;
    const decoder = new LineDecoder(bytes);
    const chunk = Buffer.alloc(bytes, "x");
    const before = process.memoryUsage().rss;
    for (let at = 0; at < bytes; at++) decoder.push(chunk.subarray(at, at + 1));
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 64 * bytes, `${grown} bytes for ${bytes}`);
  });
});

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = cuts.map((_, at) => cuts.slice(0, at + 1).reduce((sum, cut) => sum + cut, 0));
  return [0, ...ends].map((from, at) => bytes.subarray(from, ends[at] ?? bytes.length));
}
