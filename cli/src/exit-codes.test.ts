import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError, errorCodes } from "@copepod/core/errors";
import { exitCodeHelp, exitCodeOf, exitCodes, exitOf } from "./exit-codes.ts";

describe("exit codes", () => {
  it("are known for every error code, and for no other", () => {
    assert.deepEqual(Object.keys(exitOf).sort(), [...errorCodes].sort());
  });

  it("are 1 for what is not a CopepodError", () => assert.equal(exitCodeOf(new Error("x")), 1));

  it("are those of the error's code", () => assert.equal(exitCodeOf(new CopepodError("timeout", "late")), 5));

  it("are all in the help", () => {
    for (const code of Object.values(exitCodes)) assert.match(exitCodeHelp, new RegExp(`^ +${code} `, "m"));
  });
});
