import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plantRepository } from "../testing.ts";
import { checkReasons } from "./reasons.ts";

const code = `
const a = { reason: "Plain", message };
const b = { reason: /x/.test(message) ? "First" : "Second", message };
const c = refused("Called", message);
const d = said(
  "False",
  "Said", message);
const e = reason ?? "Otherwise";
const ready = reason === "Compared";
`;
const files = {
  "operator/src/a.ts": code,
  "core/src/cluster.ts": 'export const sharedReason = "Shared";',
  "operator/src/a.test.ts": 'const a = { reason: "OfATest" };',
  "operator/src/testing/b.ts": 'const a = { reason: "OfATest" };',
  "cli/src/cluster/diagnose.ts": 'const cures: Table = {\n  Plain: "Mend it.",\n  First:\n    "Mend: that.",\n};\n',
  "router/src/c.ts": 'const a = { reason: "OfTheRouter" };',
};

const pageOf = (...cells: readonly string[]): string =>
  `| Other | x |\n| --- | --- |\n| \`NoReason\` | x |\n\n| Reason | Cure |\n| --- | --- |\n${cells.map((cell) => `| ${cell} | \`Cure\` |\n`).join("")}`;

function check(page: string, others: Readonly<Record<string, string>> = {}): string[] {
  using planted = plantRepository({ ...files, "docs/troubleshooting.md": page, ...others });
  return checkReasons(planted.root);
}

const known = ["`Plain`, `First`", "`Second`", "`Called`", "`Said`", "`Otherwise`", "`Shared`"];

describe("the table of reasons", () => {
  it("passes when it has all that the code gives, in any form", () => assert.deepEqual(check(pageOf(...known)), []));

  it("lacks a reason", () => {
    assert.deepEqual(check(pageOf(...known.slice(1))), [
      "docs/troubleshooting.md: the reason Plain has no row",
      "docs/troubleshooting.md: the reason First has no row",
    ]);
  });

  it("is not the only place: a cure of the command line may be of a reason that is gone", () => {
    const others = { "cli/src/cluster/diagnose.ts": "const cures = {\n  Gone: null,\n};\n" };
    const problem = "cli/src/cluster/diagnose.ts: nothing in operator/src/ gives the reason Gone";
    assert.deepEqual(check(pageOf(...known), others), [problem]);
  });

  it("has a reason that is gone", () => {
    assert.deepEqual(check(pageOf(...known, "`Gone`")), [
      "docs/troubleshooting.md: nothing in operator/src/ gives the reason Gone",
    ]);
  });
});
