import assert from "node:assert/strict";
import { mkdir, mkdtemp, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { install } from "./node-root.ts";

describe("the node of an own image", () => {
  it("has one file of programs that are one file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "install-"));
    try {
      const [from, to] = [join(folder, "from"), join(folder, "to")];
      for (const made of [from, to]) await mkdir(made);
      await writeFile(join(from, "kubernetes"), "one");
      for (const name of ["kubelet", "kubectl"]) await symlink("kubernetes", join(from, name));
      await writeFile(join(from, "ctr"), "another");
      const names = ["kubelet", "kubectl", "ctr"] as const;
      await install(
        { kubelet: join(from, "kubelet"), kubectl: join(from, "kubectl"), ctr: join(from, "ctr") },
        names,
        to,
      );
      assert.equal(await readlink(join(to, "kubectl")), "kubelet");
      await assert.rejects(readlink(join(to, "kubelet")));
      await assert.rejects(readlink(join(to, "ctr")));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
