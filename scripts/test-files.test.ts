import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planTests } from "./test-files.ts";
import { plantRepository } from "./testing.ts";

const files = {
  "a/one.test.ts": "",
  "a/b/two.test.ts": "",
  "c/three.test.ts": "",
  "c/code.ts": "",
  "node_modules/x/four.test.ts": "",
  ".copepod/five.test.ts": "",
};

describe("the choice of tests", () => {
  const cases: [what: string, args: string[], expected: string[]][] = [
    ["takes all of ours", [], ["a/b/two.test.ts", "a/one.test.ts", "c/three.test.ts"]],
    ["takes a folder", ["a/"], ["a/b/two.test.ts", "a/one.test.ts"]],
    ["takes a file", ["./c/three.test.ts"], ["c/three.test.ts"]],
    ["takes globs", ["a/*.test.ts", "c/**"], ["a/one.test.ts", "c/three.test.ts"]],
    ["takes nothing when nothing matches", ["d"], []],
  ];
  for (const [what, args, expected] of cases) {
    it(what, () => {
      using planted = plantRepository(files);
      assert.deepEqual(planTests(planted.root, args).files, expected);
    });
  }

  it("hands options on", () => {
    using planted = plantRepository(files);
    assert.deepEqual(planTests(planted.root, ["--test-only", "c"]), {
      files: ["c/three.test.ts"],
      options: ["--test-only"],
    });
  });
});
