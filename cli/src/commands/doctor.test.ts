import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { stringify } from "yaml";
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

  type Written = readonly [kind: string, name: string, spec: object];
  const write = async (...resources: Written[]) => {
    await mkdir(join(home, "resources"));
    const documents = resources.map(([kind, name, spec]) => stringify({ apiVersion, kind, metadata: { name }, spec }));
    await writeFile(join(home, "resources", "all.yaml"), documents.join("---\n"));
  };

  it("names the harness that an agent group uses and that is not installed", async () => {
    await write(["AgentGroup", "a", { agent: { provider: "codex" } }]);
    const { code, stdout } = await runCli(["doctor"], { home });
    assert.equal(code, 1);
    assert.match(stdout, /harnesses: an agent group uses codex.*\n.*copepod provider add codex/);
  });

  const credential = (upstream: object): Written => ["Credential", "one", { upstream }];
  const anthropic = credential({ api: "Anthropic" });
  const subscription = credential({ api: "Anthropic", subscription: true });
  const openai = credential({ api: "OpenAI" });
  const lacking: [sentence: string, agent: object, credential: Written | undefined, told: RegExp | undefined][] = [
    ["nothing for the demo", {}, undefined, undefined],
    ["a provider that exists", { provider: "cluade" }, anthropic, /“cluade”.*\n.*demo, claude, codex, opencode/],
    ["a Credential for claude", { provider: "claude" }, undefined, /claude can use\n.*upstream\.api Anthropic in/],
    ["nothing for claude with a subscription", { provider: "claude" }, subscription, undefined],
    ["a Credential that codex speaks to", { provider: "codex" }, anthropic, /codex can use\n.*upstream\.api OpenAI in/],
    ["nothing for codex with OpenAI", { provider: "codex" }, openai, undefined],
    ["a model for opencode", { provider: "opencode" }, openai, /no model, which opencode needs\n.*spec\.agent\.model/],
    ["no subscription for opencode", { provider: "opencode", model: "m" }, subscription, /no subscription in spec/],
    ["nothing for opencode with a model", { provider: "opencode", model: "m" }, anthropic, undefined],
  ];
  for (const [sentence, agent, named, told] of lacking) {
    it(`finds that an agent group lacks ${sentence}`, async () => {
      await write(["AgentGroup", "a", { agent, credentials: named ? ["one"] : [] }], ...(named ? [named] : []));
      const { stdout } = await runCli(["doctor"], { home });
      if (told) assert.match(stdout, told);
      assert.equal(/BAD {3}providers/.test(stdout), told !== undefined, stdout);
      assert.equal(/ok {4}providers/.test(stdout), told === undefined, stdout);
    });
  }

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
      assert.match(judgeSandbox(probe, { uid: 1000, isNeeded: false }, found).cure ?? "", cure);
    });
  }

  it("minds a sandbox that does not work only where an agent group needs it", () => {
    const stateOf = (isNeeded: boolean) => judgeSandbox(failing, { uid: 1000, isNeeded }, settings).state;
    assert.deepEqual([stateOf(true), stateOf(false)], ["bad", "info"]);
  });
});
