import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";
import { checkFileSystem, checkNode, checkRoom } from "./check-machine.ts";
import { judgeSandbox } from "./check-sandbox.ts";

describe("copepod doctor", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "cpd-"));
  });
  afterEach(async () => {
    await chmod(home, 0o700);
    await rm(home, { recursive: true });
  });

  it("exits 0 when all is well, and does not make the home", async () => {
    const { code, stdout } = await runCli(["doctor"], { home: join(home, "later") });
    assert.equal(code, 0);
    assert.match(stdout, /system: not running\n +Start it with/);
    await assert.rejects(chmod(join(home, "later"), 0o700), { code: "ENOENT" });
  });

  it("names what is wrong in the resources with file and line, and exits 1", async () => {
    await mkdir(join(home, "resources"));
    await writeFile(join(home, "resources", "a.yaml"), "kind: AgentGroup\nspec: [\n");
    const { code, stdout } = await runCli(["doctor", "-o", "json"], { home });
    assert.equal(code, 1);
    const bad = JSON.parse(stdout).findings.filter((one: { state: string }) => one.state === "bad");
    assert.equal(bad.length, 1);
    assert.match(bad[0].detail, /a\.yaml:\d+: .*malformed YAML/);
  });

  it("asks the router that runs", async () => {
    await using router = await FakeRouter.start();
    assert.match((await runCli(["doctor"], { home, router })).stdout, /system: running and ready/);
    await router.stopServing();
    const { code, stdout } = await runCli(["doctor"], { home, router });
    assert.equal(code, 1);
    assert.match(stdout, /the router does not answer/);
  });

  it("has a cure for an old Node, a network file system and a full disk", () => {
    for (const finding of [checkNode("20.1.0"), checkFileSystem(0x6969), checkRoom(1_000)]) {
      assert.equal(finding.state, "bad");
      assert.ok(finding.cure);
    }
    assert.equal(checkNode("26.10.0").state, "ok");
  });

  it("names the harness that an agent group uses and that is not installed", async () => {
    await mkdir(join(home, "resources"));
    const group = { apiVersion: "copepod.dev/v1alpha1", kind: "AgentGroup", metadata: { name: "a" } };
    await writeFile(
      join(home, "resources", "a.yaml"),
      JSON.stringify({ ...group, spec: { agent: { provider: "codex" } } }),
    );
    const { code, stdout } = await runCli(["doctor"], { home });
    assert.equal(code, 1);
    assert.match(stdout, /harnesses: an agent group uses codex.*\n.*copepod provider add codex/);
  });

  const settings = { maxUserNamespaces: "1000", unprivilegedClone: undefined, appArmorRestricts: undefined };
  const failing = { works: false, missing: false, reason: "no" } as const;
  for (const [sentence, probe, found, cure] of [
    ["is missing", { ...failing, missing: true }, settings, /apt install bubblewrap/],
    ["may make no namespaces", failing, { ...settings, maxUserNamespaces: "0" }, /user\.max_user_namespaces/],
    ["is held back by a patched kernel", failing, { ...settings, unprivilegedClone: "0" }, /unprivileged_userns_clone/],
    ["is held back by AppArmor", failing, { ...settings, appArmorRestricts: "1" }, /AppArmor/],
    ["fails for another reason", failing, settings, /0\.8 or newer/],
  ] as const) {
    it(`has a cure for a bubblewrap that ${sentence}`, () => {
      assert.match(judgeSandbox(probe, 1000, found).cure ?? "", cure);
    });
  }
});
