import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isAlive, kill, programsOf } from "./processes.ts";

describe("the programs of a supervisor", () => {
  it("are its own descendants, told by what they run", async () => {
    const folder = await mkdtemp(join(tmpdir(), "programs-"));
    const script = join(folder, "router/src/main.ts");
    await mkdir(join(folder, "router/src"), { recursive: true });
    await writeFile(script, "console.log('up'); setInterval(() => {}, 1_000);");
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(child.stdout, "data");
      assert.deepEqual(await programsOf(process.pid), [{ program: "router", pid: child.pid }]);
      assert.deepEqual(await programsOf(child.pid ?? 0), []);
      assert.equal(await isAlive(child.pid ?? 0), true);
      const exited = once(child, "exit");
      assert.ok(kill({ program: "router", pid: child.pid ?? 0 }));
      assert.deepEqual(await exited, [null, "SIGKILL"]);
      assert.equal(await isAlive(child.pid ?? 0), false);
    } finally {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true });
    }
  });
});
