import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { tryLock } from "./lock.ts";

describe("a lock", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "lock-"));
  });
  after(async () => await rm(folder, { recursive: true }));

  it("is held by one at a time, and writes nothing", async () => {
    const file = join(folder, "one");
    using first = tryLock(file);
    assert.ok(first);
    assert.equal(tryLock(file), undefined);
    assert.deepEqual(await readdir(folder), ["one"]);
    first[Symbol.dispose]();
    using second = tryLock(file);
    assert.ok(second);
  });

  it("is free again when its holder was killed", async () => {
    const file = join(folder, "killed");
    const script = `
      import { tryLock } from ${JSON.stringify(import.meta.resolve("./lock.ts"))};
      globalThis.lock = tryLock(process.argv[1]);
      console.log("locked");
      setInterval(() => {}, 1_000);
    `;
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", script, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    assert.equal(tryLock(file), undefined);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    using lock = tryLock(file);
    assert.ok(lock);
  });
});
