import assert from "node:assert/strict";
import { chmod, mkdir, mkdtempDisposable, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { readTree, text } from "./entries.ts";
import { type Layer, LayerStore, type Recipe, sha256 } from "./layer.ts";

const recipeOf = (content: string, key = content): Recipe => ({
  title: "sample",
  key: [key],
  make: async () => ({
    entries: [text("file", content)],
    packages: [{ purl: "pkg:generic/a@1", name: "a", version: "1" }],
  }),
});

async function make(store: LayerStore, recipe: Recipe): Promise<{ layer: Layer; made: number }> {
  let made = 0;
  const layer = await store.get(recipe, () => made++);
  return { layer, made };
}

describe("a store of layers", () => {
  it("makes the same bytes of the same entries in another folder, and names them by their hash", async () => {
    await using one = await mkdtempDisposable(join(tmpdir(), "copepod-layer-"));
    await using two = await mkdtempDisposable(join(tmpdir(), "copepod-layer-"));
    const [first, second] = [new LayerStore(one.path, ""), new LayerStore(two.path, "")];
    const { layer } = await make(first, recipeOf("content"));
    assert.deepEqual((await make(second, recipeOf("content"))).layer, layer);
    const packed = await readFile(first.pathOf(layer));
    assert.equal(sha256(packed), layer.digest);
    assert.equal(packed.length, layer.bytes);
    assert.equal(sha256(gunzipSync(packed)), layer.plainDigest);
  });

  it("makes nothing twice, also when it is opened anew", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-layer-"));
    const { layer, made } = await make(new LayerStore(place.path, "code"), recipeOf("content"));
    assert.equal(made, 1);
    assert.deepEqual(await make(new LayerStore(place.path, "code"), recipeOf("content")), { layer, made: 0 });
  });

  it("makes a layer anew when what it is made of, or the code that makes it, is another", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-layer-"));
    const { layer } = await make(new LayerStore(place.path, "code"), recipeOf("content"));
    const other = await make(new LayerStore(place.path, "code"), recipeOf("other"));
    assert.notEqual(other.layer.digest, layer.digest);
    assert.deepEqual(await make(new LayerStore(place.path, "other code"), recipeOf("content")), { layer, made: 1 });
  });
});

describe("a folder of this machine in an image", () => {
  it("has its links as links, never what they lead to", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-tree-"));
    await mkdir(join(place.path, "inside"));
    await symlink(tmpdir(), join(place.path, "inside/outside"));
    const entries = await readTree(place.path, (path) => path);
    assert.deepEqual(
      entries.map(({ kind, path }) => [kind, path]),
      [
        ["folder", "inside"],
        ["link", "inside/outside"],
      ],
    );
  });

  it("has only two modes for files: no set-user-id bit, no umask", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-tree-"));
    for (const [name, mode] of [
      ["su", 0o4755],
      ["tool", 0o700],
      ["notes", 0o660],
    ] as const) {
      await writeFile(join(place.path, name), "");
      await chmod(join(place.path, name), mode);
    }
    const entries = await readTree(place.path, (path) => path);
    const modes = Object.fromEntries(entries.map(({ path, mode }) => [path, mode.toString(8)]));
    assert.deepEqual(modes, { notes: "644", su: "755", tool: "755" });
  });
});
