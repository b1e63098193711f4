import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { makeFirstRun } from "./first-run.ts";
import { readProblems } from "./read-problems.ts";

describe("the first run", () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "cpr-"));
  });
  afterEach(() => rm(parent, { recursive: true }));

  for (const name of ["ann", "DOMAIN\\Ann Lee", "名前"]) {
    it(`makes resources that are valid for a user called ${name}`, async () => {
      const written = await makeFirstRun(join(parent, "home"), name);
      assert.equal(written.length, 4);
      assert.deepEqual(await readProblems(join(parent, "home", "resources")), []);
    });
  }

  it("leaves a resources folder alone, also an empty one", async () => {
    await mkdir(join(parent, "resources"));
    assert.deepEqual(await makeFirstRun(parent, "ann"), []);
    assert.deepEqual(await readdir(join(parent, "resources")), []);
  });
});
