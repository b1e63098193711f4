import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { requirePackages } from "./packages.ts";

const isLinux = process.platform === "linux";

describe("Debian packages", () => {
  let folder: string;
  let said: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cluster-packages-"));
    said = [];
    await program("runc");
  });
  afterEach(async () => await rm(folder, { recursive: true }));

  async function program(name: string, script = ""): Promise<void> {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const options = (install: boolean) => ({
    install,
    folders: [folder],
    say: (line: string) => said.push(line),
    signal: new AbortController().signal,
  });

  it("that are there, by their programs, are not talked about", async () => {
    assert.deepEqual(await requirePackages(["runc"], options(true)), { runc: join(folder, "runc") });
    assert.deepEqual(said, []);
  });

  it("that are missing are named, with what to do", async () => {
    await assert.rejects(requirePackages(["runc", "nftables", "iproute2"], options(false)), {
      code: "notFound",
      message:
        "missing Debian packages: nftables iproute2; run this again with --install, or `apt-get install nftables iproute2` as root",
    });
  });

  it("of busybox are told apart: an image needs the one without libraries", {
    skip: !isLinux && "for Linux",
  }, async () => {
    const withLibraries = join(folder, "first");
    await mkdir(withLibraries);
    await symlink(process.execPath, join(withLibraries, "busybox"));
    const both = { ...options(false), folders: [withLibraries, folder] };
    await assert.rejects(requirePackages(["busybox-static"], both), { code: "notFound" });
    await program("busybox");
    assert.deepEqual(await requirePackages(["busybox-static"], both), { "busybox-static": join(folder, "busybox") });
  });

  it("that are missing are installed when it is wished, without questions", async () => {
    const calls = join(folder, "calls");
    await program(
      "apt-get",
      `echo "$DEBIAN_FRONTEND $@" >> ${calls}; /bin/cp ${join(folder, "runc")} ${join(folder, "nft")}`,
    );
    const found = await requirePackages(["runc", "nftables"], options(true));
    assert.deepEqual(found, { runc: join(folder, "runc"), nftables: join(folder, "nft") });
    assert.equal(
      await readFile(calls, "utf8"),
      "noninteractive update -qq\nnoninteractive install -y -qq --no-install-recommends nftables\n",
    );
    assert.deepEqual(said, ["installing nftables"]);
  });

  it("that are installed where nobody looks are not taken for found", async () => {
    await program("apt-get");
    await assert.rejects(requirePackages(["nftables"], options(true)), {
      code: "notFound",
      message: /^nftables is installed, but nothing of it is on the PATH/,
    });
  });

  it("that can't be installed end with the installer's last line", async () => {
    await program("apt-get", "echo 'E: are you root?' >&2; exit 100");
    await assert.rejects(requirePackages(["nftables"], options(true)), {
      code: "unavailable",
      message: "installing nftables failed: E: are you root?",
    });
  });
});
