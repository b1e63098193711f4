import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

const group = (name: string) =>
  `apiVersion: copepod.dev/v1alpha1\nkind: AgentGroup\nmetadata:\n  name: ${name}\nspec:\n  instructions: Be kind.\n`;

describe("copepod apply", () => {
  let folder: string;
  let router: FakeRouter;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cpa-"));
    router = await FakeRouter.start();
  });
  afterEach(async () => {
    await router[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it("writes every document of a file, as it was written", async () => {
    const file = join(folder, "a.yaml");
    await writeFile(file, `${group("a")}---\n${group("b")}`);
    const { code, stdout } = await runCli(["apply", "-f", file], { router });
    assert.deepEqual([code, stdout], [0, "agentgroup/x created\nagentgroup/x created\n"]);
    assert.deepEqual(router.applied[1], {
      apiVersion: "copepod.dev/v1alpha1",
      kind: "AgentGroup",
      metadata: { name: "b" },
      spec: { instructions: "Be kind." },
    });
  });

  it("reads stdin, and folders with all below them", async () => {
    await mkdir(join(folder, "deep"));
    await writeFile(join(folder, "deep", "a.yml"), group("a"));
    await writeFile(join(folder, "notes.txt"), "not a resource");
    assert.equal((await runCli(["apply", "-f", folder, "-"], { router, stdin: group("b") })).code, 0);
    assert.equal(router.applied.length, 2);
  });

  it("names file, line, path and reason of everything that is wrong, and changes nothing", async () => {
    const good = join(folder, "good.yaml");
    const bad = join(folder, "bad.yaml");
    await writeFile(good, group("a"));
    await writeFile(bad, `${group("b")}  colour: red\n`);
    const { code, stderr } = await runCli(["apply", "-f", good, bad], { router });
    assert.equal(code, 1);
    assert.match(stderr, /bad\.yaml:7: spec\.colour: unknown field/);
    assert.deepEqual(router.applied, []);
  });

  it("exits 3 for a file that is not there, and 1 for one without resources", async () => {
    assert.equal((await runCli(["apply", "-f", join(folder, "none.yaml")], { router })).code, 3);
    assert.equal((await runCli(["apply", "-f", folder], { router })).code, 1);
  });
});
