import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plantRepository } from "../testing.ts";
import { runTool } from "./tools.ts";

describe("a tool", () => {
  it("fails the check by its exit code, and what it printed is shown", async () => {
    using planted = plantRepository({ "fail.mjs": 'console.log("out"); console.error("err"); process.exitCode = 3;' });
    const { code, output } = await runTool(process.execPath, ["fail.mjs"], planted.root);
    assert.equal(code, 3);
    assert.equal(output, "out\nerr\n");
  });

  it("that is missing is an error, not a pass", async () => {
    await assert.rejects(runTool("/nonexistent/tool", [], "/"), /ENOENT/);
  });
});
