import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { manifests, plantRepository } from "../testing.ts";
import { checkBudgets, measureSizes } from "./budgets.ts";

const lines = (count: number): string => "// line\n".repeat(count);
const budgets = (core: number) => JSON.stringify({ core, e2e: 10, scripts: 10 });

describe("line budgets", () => {
  it("count code and tests apart", () => {
    using planted = plantRepository({
      ...manifests("core"),
      "scripts/budgets.json": budgets(10),
      "core/src/a.ts": lines(4),
      "core/src/b.ts": "one\ntwo",
      "core/src/a.test.ts": lines(5),
    });
    const [core] = measureSizes(planted.root);
    assert.deepEqual(core, { folder: "core", lines: 6, testLines: 5, budget: 10 });
    assert.deepEqual(checkBudgets(planted.root), []);
  });

  it("catch a workspace that has grown, and one without a budget", () => {
    using planted = plantRepository({
      ...manifests("core", "router"),
      "scripts/budgets.json": budgets(3),
      "core/src/a.ts": lines(4),
    });
    assert.deepEqual(checkBudgets(planted.root), [
      "core: has 4 lines of code, more than its budget of 3",
      "router: has no budget in scripts/budgets.json",
    ]);
  });

  it("catch a README that nobody will read", () => {
    using planted = plantRepository({
      ...manifests(),
      "scripts/budgets.json": budgets(1),
      "README.md": lines(121),
    });
    assert.deepEqual(checkBudgets(planted.root), ["README.md: has 121 lines, more than 120"]);
  });

  it("catch a file that is too long, tests included", () => {
    using planted = plantRepository({
      ...manifests("core"),
      "scripts/budgets.json": budgets(1_000),
      "core/src/a.ts": lines(400),
      "core/src/a.test.ts": lines(401),
    });
    assert.deepEqual(checkBudgets(planted.root), ["core/src/a.test.ts: has 401 lines, more than 400; split it"]);
  });
});
