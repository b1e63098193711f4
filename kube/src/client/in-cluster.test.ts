import assert from "node:assert/strict";
import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inCluster } from "./in-cluster.ts";

describe("the identity of a pod", () => {
  it("is what the kubelet has put into its folder, also after it has put new files there", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "identity-"));
    t.after(() => rm(folder, { recursive: true }));
    // As the kubelet does it: files behind a link that is swapped.
    const write = async (version: string) => {
      const data = await mkdtemp(join(folder, "data-"));
      await writeFile(join(data, "token"), `token ${version}\n`);
      await writeFile(join(data, "ca.crt"), `ca ${version}`);
      await symlink(data, join(folder, "new"));
      await rename(join(folder, "new"), join(folder, "now"));
    };
    const read = inCluster({ host: "fd00::1", port: "443", folder: join(folder, "now") });
    for (const version of ["1", "2"]) {
      await write(version);
      assert.deepEqual(await read(false), {
        endpoint: { server: "https://[fd00::1]:443", ca: `ca ${version}` },
        headers: { authorization: `Bearer token ${version}` },
      });
    }
  });
});
