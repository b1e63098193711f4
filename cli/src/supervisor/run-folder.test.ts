import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { homeLayout } from "../home/layout.ts";
import { linkedRunFolder, linkRunFolder, prepareRunFolder } from "./run-folder.ts";

const uid = process.getuid?.() ?? 0;

describe("the run folder", () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "copepod-run-"));
  });
  afterEach(() => rm(parent, { recursive: true }));

  it("is for its owner only, and empty of what a killed supervisor left", async () => {
    const folder = join(parent, "run");
    await mkdir(folder);
    await chmod(folder, 0o777);
    await writeFile(join(folder, "admin.sock"), "stale");
    await prepareRunFolder(folder, uid);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.deepEqual((await readdir(folder)).sort(), ["c", "children", "s"]);
  });

  it("is refused when it belongs to somebody else", async () => {
    await assert.rejects(prepareRunFolder(join(parent, "run"), uid + 1), { code: "forbidden" });
  });

  it("is refused when it is a link to another place", async () => {
    await mkdir(join(parent, "elsewhere"));
    await symlink(join(parent, "elsewhere"), join(parent, "run"));
    await assert.rejects(prepareRunFolder(join(parent, "run"), uid), { code: "forbidden" });
  });

  it("is found by a link in the home", async () => {
    const home = homeLayout(parent);
    assert.equal(await linkedRunFolder(home), undefined);
    await linkRunFolder(home, "/tmp/a");
    await linkRunFolder(home, "/tmp/b");
    assert.equal(await linkedRunFolder(home), "/tmp/b");
  });
});
