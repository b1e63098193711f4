import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

const written = {
  apiVersion: "copepod.dev/v1alpha1",
  kind: "AgentGroup",
  metadata: { name: "helper" },
  spec: { agent: { provider: "demo" } },
};

describe("copepod pause, on this machine", () => {
  it("adds its field to what people wrote, and no default", async () => {
    await using router = await FakeRouter.start();
    const home = router.folder;
    await mkdir(join(home, "resources"));
    const other = { ...written, metadata: { name: "other" } };
    await writeFile(join(home, "resources/groups.yaml"), [other, written].map((one) => stringify(one)).join("---\n"));
    const metadata = { name: "helper", namespace: "default" };
    router.resources = [{ ...written, metadata, spec: { ...written.spec, instructions: "" }, status: { sessions: 1 } }];
    const { stdout } = await runCli(["pause", "group", "helper"], { router, home });
    assert.equal(stdout, "agentgroup/helper paused\n");
    assert.deepEqual(router.applied, [{ ...written, spec: { ...written.spec, suspended: true } }]);
  });
});
