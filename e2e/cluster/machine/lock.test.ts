import assert from "node:assert/strict";
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
});
