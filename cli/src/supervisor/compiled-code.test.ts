import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { compileAhead, compiledCodeMounts } from "./compiled-code.ts";

describe("code that is compiled ahead", () => {
  let home = "";
  const warnings: unknown[] = [];
  const log = { warn: (fields: unknown) => void warnings.push(fields) };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "copepod-runner-cache-"));
  });

  after(() => rm(home, { recursive: true }));

  it("is that of proxy and runner, and what the runner loads can be read by others", async () => {
    const places = { cache: join(home, "made"), runnerCache: join(home, "made", "runner") };
    const compiling = compileAhead({ home: places, harnessesDir: join(home, "none"), env: {}, log });
    await compiling.done;
    assert.deepEqual(warnings, []);
    assert.equal(compiledCodeMounts(places.cache, process.getuid?.() ?? 0, 4_711).length, 1);
    const [mount, ...more] = compiledCodeMounts(places.runnerCache, process.getuid?.() ?? 0, 4_711);
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
    assert.deepEqual(compiledCodeMounts(folder, 7, 8), [
      { kind: "read", path: join(folder, `${name}-8`), from: join(folder, `${name}-7`) },
    ]);
    assert.deepEqual(compiledCodeMounts(join(folder, "gone"), 7, 8), []);
  });

  it("is not waited for when the system ends", async () => {
    const places = { cache: join(home, "ended"), runnerCache: join(home, "ended", "runner") };
    const compiling = compileAhead({ home: places, harnessesDir: "", env: {}, log });
    await compiling[Symbol.asyncDispose]();
    assert.deepEqual(warnings, []);
  });
});
