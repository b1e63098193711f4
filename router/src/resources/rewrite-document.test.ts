import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { rewriteDocument } from "./rewrite-document.ts";

const readAll = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS());

describe("rewriting a document", () => {
  it("changes, adds and removes fields, and keeps comments, order and quotes of the others", () => {
    const before = '# top\na: "1" # one\nb:\n  # in b\n  c: 2\n  d: 3\ne: [1, 2]\ngone: true\n';
    const after = rewriteDocument(before, 0, { a: "1", b: { c: 5, d: 3 }, e: [1, 2], new: { x: [1] } });
    assert.equal(after, '# top\na: "1" # one\nb:\n  # in b\n  c: 5\n  d: 3\ne: [1, 2]\nnew:\n  x:\n    - 1\n');
  });

  it("leaves every byte of the other documents", () => {
    const [first, second, third] = ["a:   1   # odd\n", "---\nb: 1\n", "---\n{c:   1}\n# end"];
    const after = rewriteDocument(`${first}${second}${third}`, 1, { b: 2 });
    assert.equal(after, `${first}---\nb: 2\n${third}`);
  });

  it("keeps long lines and blocks of text", () => {
    const long = "word ".repeat(60).trim();
    const before = `a: ${long}\nb: |\n  one\n  two\nc: 1\n`;
    assert.equal(rewriteDocument(before, 0, { a: long, b: "one\ntwo\n", c: 2 }), before.replace("c: 1", "c: 2"));
  });

  it("counts empty documents", () => {
    assert.equal(rewriteDocument("---\n# nothing\n---\na: 1\n", 1, { a: 2 }), "---\n# nothing\n---\na: 2\n");
  });

  it("turns one shape into another", () => {
    const after = rewriteDocument("a: 1\nb:\n  - 1\nc:\n  d: 1\n", 0, { a: [1], b: { x: 1 }, c: "text" });
    assert.deepEqual(readAll(after), [{ a: [1], b: { x: 1 }, c: "text" }]);
  });

  it("keeps what is said when an alias loses its anchor", () => {
    const before = "first: 1\n---\na: &x [1]\nb: *x\n---\nlast: 1\n";
    const after = rewriteDocument(before, 1, { b: [1] });
    assert.deepEqual(readAll(after), [{ first: 1 }, { b: [1] }, { last: 1 }]);
  });
});
