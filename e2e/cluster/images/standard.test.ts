import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { writeBusyboxImage } from "./standard.ts";

it("the image of busybox has all its tools, and is made in its folder alone: what a killed process leaves goes with it", async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "copepod-image-"));
  const out = join(folder.path, "deep", "out");
  const binary = join(folder.path, "any-name");
  await writeFile(binary, "#!/bin/sh\nprintf 'busybox\\nsh\\nls\\n'\n", { mode: 0o755 });
  const before = process.env.TMPDIR;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  process.env.TMPDIR = join(folder.path, "missing");
  const archive = await writeBusyboxImage(binary, out);
  assert.deepEqual(await readdir(out), ["busybox-1.tar"]);
  const tar = async (...args: string[]) => (await promisify(execFile)("tar", args)).stdout;
  await tar("-xf", archive, "-C", folder.path, "layer.tar");
  const names = (await tar("-tf", join(folder.path, "layer.tar"))).trimEnd().split("\n");
  assert.deepEqual(names, ["bin/", "bin/busybox", "bin/ls", "bin/sh", "etc/", "tmp/"]);
});
