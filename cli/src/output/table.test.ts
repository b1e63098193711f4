import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderAge, renderTable, shorten } from "./table.ts";

const columns = [
  { heading: "Name", cell: (row: { name: string; age?: number }) => row.name },
  { heading: "Age", cell: (row: { name: string; age?: number }) => row.age, wide: true },
  { heading: "Kind", cell: () => "x" },
];

describe("a table", () => {
  it("has columns as wide as they need to be", () => {
    assert.equal(renderTable(columns, [{ name: "helper" }], false), "NAME     KIND\nhelper   x");
  });

  it("shows more in the wide form, and says when there is nothing", () => {
    assert.equal(renderTable(columns, [{ name: "a" }], true), "NAME   AGE      KIND\na      <none>   x");
  });

  it("keeps a cell on one line, without control characters", () => {
    assert.equal(renderTable(columns, [{ name: "a\n\u001b[2Jb" }], false).split("\n")[1], "a [2Jb   x");
  });
});

describe("an age", () => {
  const cases: [number, string][] = [
    [5_000, "5s"],
    [119_000, "119s"],
    [120_000, "2m"],
    [7_200_000, "2h"],
    [4 * 86_400_000, "4d"],
    [-5_000, "0s"],
  ];
  for (const [ms, text] of cases)
    it(`of ${ms} ms is ${text}`, () => assert.equal(renderAge(10_000 - ms, 10_000), text));
});

describe("a long text", () => {
  it("is cut", () => assert.equal(shorten("abcdef", 4), "abc…"));
});
