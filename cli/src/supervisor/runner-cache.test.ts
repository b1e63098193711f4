import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fillRunnerCache, runnerCacheMounts } from "./runner-cache.ts";

describe("the compiled code of runners", () => {
  let home = "";
  const warnings: unknown[] = [];
  const log = { warn: (fields: unknown) => void warnings.push(fields) };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "copepod-runner-cache-"));
  });

  after(() => rm(home, { recursive: true }));

  it("is made by us, where others can read it", async () => {
    const folder = join(home, "made");
    const filling = fillRunnerCache({ harnessesDir: join(home, "none"), folder, env: {}, log });
    await filling.done;
    assert.deepEqual(warnings, []);
    const [mount, ...more] = runnerCacheMounts(folder, process.getuid?.() ?? 0, 4_711);
    assert.deepEqual(more, []);
    assert.ok(mount?.kind === "read" && mount.from !== undefined && mount.path.endsWith("-4711"));
    const [compiled = ""] = await readdir(mount.from);
    assert.equal((await stat(join(mount.from, compiled))).mode & 0o044, 0o044);
  });

  it("is nobody else's, and of no other Node", async () => {
    const folder = join(home, "found");
    for (const name of [`${process.version}-x64-1-7`, `${process.version}-x64-1-70`, "v1.2.3-x64-1-7", "other"]) {
      await mkdir(join(folder, name), { recursive: true });
    }
    const name = `${process.version}-x64-1`;
    assert.deepEqual(runnerCacheMounts(folder, 7, 8), [
      { kind: "read", path: join(folder, `${name}-8`), from: join(folder, `${name}-7`) },
    ]);
    assert.deepEqual(runnerCacheMounts(join(folder, "gone"), 7, 8), []);
  });

  it("is not waited for when the system ends", async () => {
    const filling = fillRunnerCache({ harnessesDir: "", folder: join(home, "ended"), env: {}, log });
    await filling[Symbol.asyncDispose]();
    assert.deepEqual(warnings, []);
  });
});
