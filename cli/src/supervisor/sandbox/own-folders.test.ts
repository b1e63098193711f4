import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { firstId, workspaceGroup } from "./identity.ts";
import { type AgentFolders, giveFolders, makeFolders, takeFoldersBack } from "./own-folders.ts";

const skip = process.getuid?.() === 0 ? false : "only root can give files away";
const identity = { uid: firstId + 1, gid: firstId + 2 };

describe("folders of a session that is a user of its own", { skip }, () => {
  let parent: string;
  let folders: AgentFolders;
  const ownerOf = (path: string) => {
    const { uid, gid, mode } = lstatSync(path);
    return { uid, gid, mode: (mode & 0o7777).toString(8) };
  };

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "cpo-"));
    folders = {
      workspace: join(parent, "s"),
      agentDir: join(parent, "a"),
      team: [{ name: "docs", path: join(parent, "t") }],
    };
    makeFolders(folders);
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  it("belong to it alone, and the group's to root and all sessions of the group", () => {
    giveFolders(folders, identity);
    assert.deepEqual(ownerOf(folders.workspace), { ...identity, mode: "700" });
    assert.deepEqual(ownerOf(folders.agentDir), { uid: 0, gid: identity.gid, mode: "2770" });
  });

  it("are those that all who share a workspace may use, whoever comes first", () => {
    const gid = workspaceGroup("docs");
    const path = join(parent, "t");
    for (const one of [identity, { uid: identity.uid + 1, gid: identity.gid + 1 }]) {
      giveFolders(folders, one);
      assert.deepEqual(ownerOf(path), { uid: 0, gid, mode: "2770" });
    }
  });

  it("are given with all that is in them, but never what a symbolic link leads to", () => {
    const outside = join(parent, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "f"), "");
    for (const folder of [folders.workspace, folders.agentDir]) {
      mkdirSync(join(folder, "sub"));
      writeFileSync(join(folder, "sub", "f"), "", { mode: 0o600 });
      symlinkSync(outside, join(folder, "sub", "link"));
      symlinkSync(join(outside, "f"), join(folder, "link"));
    }
    giveFolders(folders, identity);
    assert.deepEqual(ownerOf(join(folders.workspace, "sub", "f")), { ...identity, mode: "600" });
    assert.deepEqual(ownerOf(join(folders.agentDir, "sub", "f")), { uid: 0, gid: identity.gid, mode: "660" });
    for (const path of [outside, join(outside, "f")]) {
      const { uid, gid } = ownerOf(path);
      assert.deepEqual({ uid, gid }, { uid: 0, gid: 0 }, path);
    }
  });

  it("are given once: a wake does not walk through them", () => {
    giveFolders(folders, identity);
    const later = join(folders.workspace, "later");
    writeFileSync(later, "");
    giveFolders(folders, identity);
    assert.equal(ownerOf(later).uid, 0);
  });

  it("are given again after a time without a sandbox", () => {
    giveFolders(folders, identity);
    takeFoldersBack(folders);
    const made = join(folders.workspace, "made");
    writeFileSync(made, "");
    giveFolders(folders, identity);
    assert.equal(ownerOf(made).uid, identity.uid);
  });

  it("are refused when a link stands in their place", () => {
    rmSync(folders.workspace, { recursive: true });
    symlinkSync("/etc", folders.workspace);
    assert.throws(() => giveFolders(folders, identity), { code: "invalid" });
  });
});
