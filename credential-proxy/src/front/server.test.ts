import assert from "node:assert/strict";
import { chmod, chown, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { listen } from "./server.ts";

describe("the proxy's socket", { timeout: 30_000 }, () => {
  it("listens for the group of its folder too where that is the runner's, and for nobody else", async () => {
    const folder = await mkdtemp(join(tmpdir(), "copepod-group-"));
    // What the kubelet does to a volume with `fsGroup`; only root has a group to give away.
    const group = process.getuid?.() === 0 ? 10_001 : (process.getgid?.() ?? 0);
    await chown(folder, process.getuid?.() ?? 0, group);
    await chmod(folder, 0o2777);
    const path = join(folder, "proxy.sock");
    await using _server = await listen({ path, owner: undefined, forGroup: true }, () => undefined);
    const { mode, gid } = await stat(path);
    assert.deepEqual([(mode & 0o777).toString(8), gid], ["660", group]);
    await rm(folder, { recursive: true });
  });
});
