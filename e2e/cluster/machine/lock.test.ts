import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { takeLock } from "./lock.ts";

const never = new AbortController().signal;
let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "cluster-lock-"));
});
after(async () => await rm(root, { recursive: true }));

describe("the lock of a cluster", () => {
  it("is held by one at a time; the next one is told what it waits for", async () => {
    const file = join(root, "shared.lock");
    const said: string[] = [];
    const options = { say: (line: string) => said.push(line), signal: never, what: "the cluster one" };
    const first = await takeLock(file, options);
    let isTaken = false;
    const second = takeLock(file, { ...options, sayAfterMs: 0 }).then((lock) => {
      isTaken = true;
      return lock;
    });
    while (said.length === 0) await new Promise(setImmediate);
    assert.equal(isTaken, false);
    assert.deepEqual(said, ["waiting: another process is busy with the cluster one"]);
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
  });

  it("is free again when its holder was killed", async () => {
    const file = join(root, "killed.lock");
    const script = `
      import { takeLock } from ${JSON.stringify(import.meta.resolve("./lock.ts"))};
      globalThis.lock = await takeLock(process.argv[1], { say() {}, signal: new AbortController().signal, what: "it" });
      console.log("locked");
      setInterval(() => {}, 1_000);
    `;
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", script, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    const waiting = takeLock(file, { say: () => {}, signal: never, what: "it" });
    holder.kill("SIGKILL");
    (await waiting)[Symbol.dispose]();
  });
});
