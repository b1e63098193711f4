import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtempDisposable, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { type Image, writeImageArchive } from "./archive.ts";

const tar = async (...args: string[]): Promise<string> => (await promisify(execFile)("tar", args)).stdout;

const manifestSchema = z.tuple([
  z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) }),
]);
const configSchema = z.object({
  architecture: z.string(),
  config: z.record(z.string(), z.unknown()),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

async function plant(folder: string): Promise<Pick<Image, "files">> {
  await mkdir(join(folder, "tree/bin"), { recursive: true });
  await mkdir(join(folder, "tree/tmp"));
  await chmod(join(folder, "tree/tmp"), 0o1777);
  await writeFile(join(folder, "tree/bin/tool"), "tool", { mode: 0o700 });
  await symlink("tool", join(folder, "tree/bin/other"));
  await writeFile(join(folder, "program"), "program", { mode: 0o755 });
  return { files: { "/": join(folder, "tree"), "/opt/deep/program": join(folder, "program") } };
}

const about = { name: "localhost/sample", tag: "1", entrypoint: ["/bin/tool", "--now"] };

describe("an image archive", () => {
  it("carries its name, what to run, and a layer with the hash that its config says", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "copepod-image-"));
    const planted = await plant(folder.path);
    const settings = { env: { A: "b" }, user: "1000", workdir: "/tmp" };
    const archive = await writeImageArchive({ ...about, ...planted, ...settings }, join(folder.path, "out"));
    assert.equal(basename(archive), "sample-1.tar");
    const unpacked = join(folder.path, "unpacked");
    await mkdir(unpacked);
    await tar("-xf", archive, "-C", unpacked);
    const read = async (name: string) => readFile(join(unpacked, name));
    const [manifest] = manifestSchema.parse(JSON.parse(String(await read("manifest.json"))));
    assert.deepEqual(manifest.RepoTags, ["localhost/sample:1"]);
    const config = configSchema.parse(JSON.parse(String(await read(manifest.Config))));
    assert.deepEqual(config.config, {
      Entrypoint: ["/bin/tool", "--now"],
      Env: ["A=b"],
      User: "1000",
      WorkingDir: "/tmp",
    });
    const hashes = await Promise.all(
      manifest.Layers.map(
        async (layer) =>
          `sha256:${createHash("sha256")
            .update(await read(layer))
            .digest("hex")}`,
      ),
    );
    assert.deepEqual(config.rootfs.diff_ids, hashes);
  });

  it("holds files of root that everyone can read, with their links and modes", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "copepod-image-"));
    const archive = await writeImageArchive({ ...about, ...(await plant(folder.path)) }, folder.path);
    await tar("-xf", archive, "-C", folder.path, "layer.tar");
    const listing = await tar("-tvf", join(folder.path, "layer.tar"), "--numeric-owner", "--utc", "--full-time");
    assert.deepEqual(
      listing
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/ +\d+ 1970-01-01 00:00:00/, "")),
      [
        "drwxr-xr-x 0/0 bin/",
        "lrwxrwxrwx 0/0 bin/other -> tool",
        "-rwxr-xr-x 0/0 bin/tool",
        "drwxr-xr-x 0/0 opt/",
        "drwxr-xr-x 0/0 opt/deep/",
        "-rwxr-xr-x 0/0 opt/deep/program",
        "drwxrwxrwt 0/0 tmp/",
      ],
    );
  });

  it("is the same, byte for byte, when the same files are packed again later", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "copepod-image-"));
    const planted = await plant(folder.path);
    const first = await readFile(await writeImageArchive({ ...about, ...planted }, join(folder.path, "first")));
    await utimes(join(folder.path, "program"), 1, 1);
    const second = await readFile(await writeImageArchive({ ...about, ...planted }, join(folder.path, "second")));
    assert.ok(first.equals(second));
  });
});
