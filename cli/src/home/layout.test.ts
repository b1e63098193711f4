import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { folderName, runFolderFor } from "./layout.ts";

describe("the path of the run folder", () => {
  it("is in the system's folder for sockets where there is one", () => {
    assert.match(runFolderFor("/home/a/.copepod", 1000, "/run/user/1000"), /^\/run\/user\/1000\/copepod-[0-9a-f]{12}$/);
  });

  it("is below /tmp when there is none, or when a socket's path would be too long", () => {
    assert.match(runFolderFor("/home/a", 1000, undefined), /^\/tmp\/copepod-1000-[0-9a-f]{12}$/);
    assert.match(runFolderFor("/home/a", 1000, `/${"x".repeat(90)}`), /^\/tmp\//);
  });

  it("differs between homes", () => {
    assert.notEqual(runFolderFor("/a", 1, undefined), runFolderFor("/b", 1, undefined));
  });
});

describe("a folder's name", () => {
  it("is the name in the row key", () => assert.equal(folderName("default/helper-0a1b"), "helper-0a1b"));

  for (const key of ["default/..", "default/a/b", "other/a", "a", "default/", "default/A", "default/.a", "../x"]) {
    it(`is refused in ${key}`, () => assert.throws(() => folderName(key), { code: "invalid" }));
  }
});
