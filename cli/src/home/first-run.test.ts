import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parse } from "yaml";
import { readConfig } from "../config.ts";
import { commonEnvironment } from "../supervisor/commands.ts";
import { noModels } from "../testing/run-cli.ts";
import { makeFirstRun } from "./first-run.ts";
import { writeKey } from "./keys.ts";
import { readProblems } from "./read-problems.ts";

describe("the first run", () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "cpr-"));
  });
  afterEach(() => rm(parent, { recursive: true }));

  const sample = async (home: string, name: string) =>
    parse(await readFile(join(home, "resources", name), "utf8")).spec as Record<string, unknown>;

  for (const name of ["ann", "DOMAIN\\Ann Lee", "名前"]) {
    it(`makes resources that are valid for a user called ${name}`, async () => {
      const made = await makeFirstRun(join(parent, "home"), name, noModels);
      assert.equal(made?.written.length, 4);
      assert.deepEqual(await readProblems(join(parent, "home", "resources")), []);
    });
  }

  it("leaves a resources folder alone, also an empty one, and then stores no key", async () => {
    await mkdir(join(parent, "resources"));
    assert.equal(await makeFirstRun(parent, "ann", { ...noModels, openaiKey: "sk-1" }), undefined);
    assert.deepEqual(await readdir(parent), ["resources"]);
    assert.deepEqual(await readdir(join(parent, "resources")), []);
  });

  it("stores a key of the environment for its owner alone, and gives it to the sample agent", async () => {
    const made = await makeFirstRun(parent, "ann", { ...noModels, anthropicKey: "sk-ant-1" });
    assert.equal(made?.model?.source, "ANTHROPIC_API_KEY");
    assert.equal(await readFile(join(parent, "keys/anthropic/key"), "utf8"), "sk-ant-1");
    assert.equal((await stat(join(parent, "keys/anthropic/key"))).mode & 0o777, 0o600);
    assert.deepEqual(await readProblems(join(parent, "resources")), []);
    const group = await sample(parent, "helper.yaml");
    assert.deepEqual([group.agent, group.credentials], [{ provider: "claude" }, ["anthropic"]]);
    assert.deepEqual(await sample(parent, "anthropic.yaml"), {
      upstream: { api: "Anthropic" },
      secretRef: { name: "anthropic" },
    });
  });

  it("uses a key that was stored before", async () => {
    await writeKey(join(parent, "keys"), { name: "openai", key: "key" }, "sk-1");
    const made = await makeFirstRun(parent, "ann", noModels);
    assert.deepEqual([made?.model?.name, made?.model?.key], ["openai", undefined]);
    assert.deepEqual((await sample(parent, "helper.yaml")).agent, { provider: "codex" });
  });

  it("makes nothing when a variable can't be used, so that it can be tried again", async () => {
    const bad = { ...noModels, anthropicKey: "sk", anthropicBaseUrl: "https://a.example/?key=secret" };
    await assert.rejects(makeFirstRun(parent, "ann", bad), (error: Error) => {
      assert.match(error.message, /^ANTHROPIC_BASE_URL can't be used: spec\.upstream\.baseUrl/);
      assert.doesNotMatch(error.message, /secret|sk/);
      return true;
    });
    assert.deepEqual(await readdir(parent), []);
  });
});

describe("the person's environment", () => {
  const env = {
    PATH: "/bin",
    ANTHROPIC_API_KEY: "canary",
    ANTHROPIC_AUTH_TOKEN: "canary",
    ANTHROPIC_BASE_URL: "https://canary.example",
    CLAUDE_CODE_OAUTH_TOKEN: "canary",
    OPENAI_API_KEY: "canary",
  };

  it("names model APIs; an empty variable counts as one that is not set", () => {
    assert.deepEqual(readConfig({ ...env, OPENAI_API_KEY: "" }, "/").models, {
      anthropicKey: "canary",
      anthropicToken: "canary",
      anthropicBaseUrl: "https://canary.example",
      claudeToken: "canary",
      openaiKey: undefined,
    });
  });

  it("is passed to children by a closed list, without keys", () => {
    const { own } = readConfig(env, "/");
    assert.deepEqual(own, { PATH: "/bin" });
    assert.doesNotMatch(JSON.stringify(commonEnvironment({ ...env, ...own }, "info")), /canary/);
  });
});
