import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { listClusters, readState, takeLock, writeState } from "./state.ts";

const never = new AbortController().signal;
let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "cluster-state-"));
});
after(async () => await rm(root, { recursive: true }));

describe("the state of a cluster", () => {
  it("is read as it was written, by nobody but its owner", async () => {
    const folder = join(root, "clusters", "one");
    assert.deepEqual(await listClusters(join(root, "clusters")), []);
    assert.equal(await readState(folder), undefined);
    await writeState(folder, { provider: "kind", ownEngine: true });
    assert.deepEqual(await readState(folder), { provider: "kind", ownEngine: true });
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, "cluster.json"))).mode & 0o777, 0o600);
    assert.deepEqual(await listClusters(join(root, "clusters")), ["one"]);
  });

  it("is refused with its path when something else is written there", async () => {
    const folder = join(root, "damaged");
    await writeState(folder, { provider: "native", ownEngine: false });
    await writeFile(join(folder, "cluster.json"), '{"provider":"magic"}');
    await assert.rejects(readState(folder), (error: Error) => error.message.includes(join(folder, "cluster.json")));
  });
});

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
      import { takeLock } from ${JSON.stringify(import.meta.resolve("./state.ts"))};
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
