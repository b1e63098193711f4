import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { harnessFolder } from "@copepod/agent-image/harnesses/harness";
import { noModels, runCli } from "../testing/run-cli.ts";

describe("the first start with a key in the environment", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "cps-"));
  });
  afterEach(() => rm(home, { recursive: true }));

  const harnessesDir = () => join(home, "harnesses");
  const up = async (PATH = "") =>
    await runCli(["up"], {
      home,
      settings: { models: { ...noModels, anthropicKey: "s3cret" }, harnessesDir: harnessesDir(), own: { PATH } },
    });

  it("says what was found and done, and never the key", async () => {
    await mkdir(harnessFolder(harnessesDir(), "claude"), { recursive: true });
    const { stdout, stderr } = await up();
    assert.match(stderr, /\nFound ANTHROPIC_API_KEY: stored it as the key "anthropic"; the sample agent uses claude/);
    assert.doesNotMatch(stdout + stderr, /s3cret|provider add/);
    assert.equal(await readFile(join(home, "keys/anthropic/key"), "utf8"), "s3cret");
  });

  it("goes on when the harness can't be installed, and says what tries again", async () => {
    await writeFile(join(home, "npm"), "#!/bin/sh\necho the registry is gone\nexit 1\n");
    await chmod(join(home, "npm"), 0o755);
    const { stderr } = await up(`${home}:/bin:/usr/bin`);
    assert.match(
      stderr,
      /the registry is gone\nThe sample agent needs it: `copepod provider add claude` tries again\./,
    );
    assert.match(stderr, /a supervisor already runs/, "the next step was taken");
  });
});
