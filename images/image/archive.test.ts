import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { plans } from "../catalogue.ts";
import { text } from "../layers/entries.ts";
import { type Layer, LayerStore, sha256 } from "../layers/layer.ts";
import { writeArchive } from "./archive.ts";
import { billOfMaterials } from "./bill-of-materials.ts";
import { describeImage } from "./manifest.ts";

const blob = z.object({ digest: z.string(), size: z.number() });
const indexSchema = z.object({ manifests: z.tuple([blob.extend({ annotations: z.record(z.string(), z.string()) })]) });
const manifestSchema = z.object({ config: blob, layers: z.array(blob) });
const configSchema = z.object({
  config: z.object({ User: z.string(), Entrypoint: z.array(z.string()) }),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});
const engineSchema = z.tuple([
  z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) }),
]);

const layerOf = async (store: LayerStore, content: string): Promise<Layer> =>
  await store.get(
    { title: "sample", key: [content], make: async () => ({ entries: [text("file", content)], packages: [] }) },
    () => {},
  );

describe("an archive of an image", () => {
  it("is one that registries and engines read, each hash that of what it names", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-archive-"));
    const store = new LayerStore(place.path, "");
    const layers = [await layerOf(store, "below"), await layerOf(store, "above")];
    const described = describeImage({ plan: plans.router, version: "1.2.3", layers, architecture: "amd64" });
    await writeArchive(join(place.path, "a.tar"), { described, layers, reference: "host/copepod/router:1.2.3" }, store);
    await promisify(execFile)("tar", ["-xf", join(place.path, "a.tar"), "-C", place.path]);
    const read = async (path: string) => await readFile(join(place.path, path));
    const follow = async ({ digest, size }: z.output<typeof blob>) => {
      const content = await read(`blobs/${digest.replace(":", "/")}`);
      assert.equal(`sha256:${sha256(content)}`, digest);
      assert.equal(content.length, size);
      return content;
    };
    const [listed] = indexSchema.parse(JSON.parse(String(await read("index.json")))).manifests;
    assert.equal(listed.digest, described.digest);
    assert.equal(listed.annotations["io.containerd.image.name"], "host/copepod/router:1.2.3");
    const manifest = manifestSchema.parse(JSON.parse(String(await follow(listed))));
    for (const layer of manifest.layers) await follow(layer);
    const config = configSchema.parse(JSON.parse(String(await follow(manifest.config))));
    assert.deepEqual(
      config.rootfs.diff_ids,
      layers.map(({ plainDigest }) => `sha256:${plainDigest}`),
    );
    const [engine] = engineSchema.parse(JSON.parse(String(await read("manifest.json"))));
    assert.deepEqual(engine.RepoTags, ["host/copepod/router:1.2.3"]);
    assert.deepEqual(
      engine.Layers,
      manifest.layers.map(({ digest }) => `blobs/${digest.replace(":", "/")}`),
    );
  });
});

describe("what every image says of itself", () => {
  for (const [name, plan] of Object.entries(plans)) {
    it(`${name} runs as a number that is not root, and starts a program by its path`, () => {
      const { config } = describeImage({ plan, version: "1", layers: [], architecture: "amd64" });
      const { User, Entrypoint } = configSchema.parse(JSON.parse(config)).config;
      assert.match(User, /^[1-9]\d*:[1-9]\d*$/);
      assert.match(Entrypoint[0] ?? "", /^\/usr\//);
    });
  }
});

describe("a bill of materials", () => {
  it("has each package once, sorted, and no time", () => {
    const packages = ["b", "a", "b"].map((name) => ({ purl: `pkg:npm/${name}@1`, name, version: "1" }));
    const bill = billOfMaterials({ name: "copepod/router", version: "1", digest: "sha256:0", packages });
    const { components } = z.object({ components: z.array(z.object({ purl: z.string() })) }).parse(JSON.parse(bill));
    assert.deepEqual(
      components.map(({ purl }) => purl),
      ["pkg:npm/a@1", "pkg:npm/b@1"],
    );
    assert.doesNotMatch(bill, /timestamp|serialNumber/);
  });
});
