import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runCli } from "../testing/run-cli.ts";
import { makeFolder } from "./make-folder.ts";

async function place() {
  const folder = await mkdtemp(join(tmpdir(), "cpm-"));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

describe("a folder that is made", () => {
  it("comes with all above it, in the mode that is asked for, also by several at once", async () => {
    await using world = await place();
    const path = join(world.folder, "a/b/c");
    await Promise.all([1, 2, 3].map(() => makeFolder(path, 0o700)));
    assert.equal((await stat(path)).mode & 0o777, 0o700);
  });

  it("fails where nobody may make one", { skip: process.platform !== "linux" }, () =>
    assert.rejects(makeFolder("/proc/sys/copepod/home"), { code: /^E/ }),
  );
});

describe("a home that can't be written", () => {
  for (const args of [["up"], ["start"], ["keys", "add", "github"]]) {
    it(`is named by ${args.join(" ")}, with what to do`, async () => {
      await using world = await place();
      await writeFile(join(world.folder, "file"), "");
      const home = join(world.folder, "file", "home");
      const { code, stderr } = await runCli(args, { home, stdin: "a secret of some length" });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /file.* can't be made or written \((?:ENOTDIR|EEXIST)\); the home is .*\n {2}Name another .*`--home`/,
      );
      assert.doesNotMatch(stderr, /\n {4}at /);
    });
  }
});
