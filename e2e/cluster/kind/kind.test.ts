import assert from "node:assert/strict";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Binaries, BinaryName } from "../binaries/catalogue.ts";
import type { Cluster } from "../cluster.ts";
import type { Ground } from "./engine.ts";
import { kindProvider } from "./kind.ts";

/** Gives up on the way. */
const kind = '#!/bin/sh\n[ "$1" = delete ] || exit 1\n';

/** An engine that is there for `up`, and away from then on. */
const leaving: Ground = {
  start: async () => ({ env: {}, enter: [] }),
  find: async () => undefined,
  image: async () => ({ name: "any", own: undefined }),
};

describe("a kind cluster whose engine does not answer", () => {
  it("is not given up while a node may be in the engine, be it half made", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "cluster-kind-"));
    const cluster = await clusterIn(folder.path);
    const { up, down, status } = kindProvider(leaving);
    await assert.rejects(up(cluster), /kind create cluster .* failed/);
    await assert.rejects(down(cluster), { code: "unavailable", message: /Docker engine that does not answer/ });
    assert.equal((await status(cluster)).state, "broken");
  });

  it("goes without the engine when no node was begun", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "cluster-kind-"));
    const cluster = await clusterIn(folder.path);
    const { down, status } = kindProvider(leaving);
    assert.equal((await status(cluster)).state, "down");
    await down(cluster);
  });
});

async function clusterIn(folder: string): Promise<Cluster> {
  const program = join(folder, "kind");
  await writeFile(program, kind, { mode: 0o755 });
  async function binaries<Name extends BinaryName>(names: readonly Name[]): Promise<Binaries<Name>>;
  async function binaries(names: readonly BinaryName[]): Promise<Record<string, string>> {
    return Object.fromEntries(names.map((name) => [name, program]));
  }
  const packages = () => Promise.reject(new Error("none is needed"));
  return { name: "any", folder, say: () => {}, signal: new AbortController().signal, binaries, packages };
}
