import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { kill, victimsOf } from "./kill-processes.ts";

describe("the victims of the kill bench", () => {
  it("are the supervisor's own programs, told by what they run", async () => {
    const folder = await mkdtemp(join(tmpdir(), "victims-"));
    const script = join(folder, "router/src/main.ts");
    await mkdir(join(folder, "router/src"), { recursive: true });
    await writeFile(script, "console.log('up'); setInterval(() => {}, 1_000);");
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(child.stdout, "data");
      assert.deepEqual(await victimsOf(process.pid), [{ kind: "router", pid: child.pid }]);
      assert.deepEqual(await victimsOf(child.pid ?? 0), []);
      const exited = once(child, "exit");
      assert.ok(kill({ kind: "router", pid: child.pid ?? 0 }));
      assert.deepEqual(await exited, [null, "SIGKILL"]);
    } finally {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true });
    }
  });
});
