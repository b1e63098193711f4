import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatLock, parseLock, parseUris, vanished } from "./debian.ts";

const hash = "0123456789abcdef".repeat(4);

describe("a lock of Debian packages", () => {
  it("is read as it was written, with epochs and what else versions have", () => {
    const packages = [
      { name: "libstdc++6", version: "12.2.0-14+deb12u1", sha256: hash },
      { name: "git", version: "1:2.39.5-0+deb12u2", sha256: hash },
      { name: "ca-certificates", version: "20230311~deb12u1", sha256: hash },
    ];
    assert.deepEqual(parseLock(formatLock(packages)), packages);
  });

  it("is refused with a line that names no version or no whole hash", () => {
    for (const line of [
      `libc6 ${hash}`,
      "libc6 2.36 abc",
      `libc6 2.36 ${hash} more`,
      `../x 1 ${hash}`,
      `libc6 $(x) ${hash}`,
    ])
      assert.throws(() => parseLock(`${line}\n`), { code: "invalid", message: /images -- lock/ });
  });

  it("is made from what apt says of each file", () => {
    const output = [
      `'http://mirror/pool/main/g/git/git_2.39.5-0%2bdeb12u2_amd64.deb' git_1%3a2.39.5-0+deb12u2_amd64.deb 7256784 SHA256:${hash}`,
      "'http://mirror/pool/x_1_amd64.deb' x_1_amd64.deb 1 MD5Sum:0123",
    ].join("\n");
    assert.deepEqual(parseUris(output), [{ name: "git", version: "1:2.39.5-0+deb12u2", sha256: hash }]);
  });

  it("says which versions are gone, and what to do", () => {
    const cause = new Error("Command failed: apt-get\nE: Version '1' for 'libc6' was not found\nW: other\n");
    assert.equal(
      vanished(cause).message,
      "Debian's mirror does not have the packages that the lock names:\nE: Version '1' for 'libc6' was not found\n" +
        "`npm run images -- lock` takes those of today, `--unlocked` does so for this time only",
    );
  });
});
