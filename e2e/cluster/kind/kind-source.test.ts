import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { readKindImages } from "./kind-source.ts";

const sources: Readonly<Record<string, string>> = {
  "pkg/build/nodeimage/const_storage.go":
    'const storageProvisionerImage = "there/provisioner:v1"\nconst storageHelperImage = "there/helper:v2"\n',
  "pkg/build/nodeimage/const_cni.go": 'const kindnetdImage = "there/kindnetd:v3"\n',
  "images/base/files/etc/containerd/config.toml": '  sandbox_image = "there/pause:3.10"\n',
};

async function withSource(files: typeof sources, use: (source: string) => Promise<void>): Promise<void> {
  const source = await mkdtemp(join(tmpdir(), "kind-source-"));
  try {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(source, path)), { recursive: true });
      await writeFile(join(source, path), content);
    }
    await use(source);
  } finally {
    await rm(source, { recursive: true });
  }
}

describe("the source of kind", () => {
  it("tells which images a node has", async () => {
    await withSource(sources, async (source) =>
      assert.deepEqual(await readKindImages(source), {
        pause: "there/pause:3.10",
        network: "there/kindnetd:v3",
        storageProvisioner: "there/provisioner:v1",
        storageHelper: "there/helper:v2",
      }),
    );
  });

  it("is refused by name when a version of it has changed them", async () => {
    await withSource({ ...sources, "pkg/build/nodeimage/const_cni.go": "" }, async (source) => {
      await assert.rejects(readKindImages(source), /no kindnetdImage/);
    });
  });
});
