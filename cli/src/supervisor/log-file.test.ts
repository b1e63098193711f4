import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openLogFile } from "./log-file.ts";

describe("a log file", () => {
  it("keeps one older file, and no more than its size", async () => {
    const folder = await mkdtemp(join(tmpdir(), "copepod-log-"));
    try {
      const path = join(folder, "a.log");
      using log = openLogFile(path, 10);
      for (const line of ["first\n", "second\n", "third\n"]) log.write(line);
      assert.equal(await readFile(path, "utf8"), "third\n");
      assert.equal(await readFile(`${path}.1`, "utf8"), "second\n");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("loses lines rather than the process when it can't write", () => {
    using log = openLogFile("/proc/no-such-folder/a.log");
    log.write("lost\n");
  });
});
