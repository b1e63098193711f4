import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { listClusters, readState, writeState } from "./state.ts";

const _never = new AbortController().signal;
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
