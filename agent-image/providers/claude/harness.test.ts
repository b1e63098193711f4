import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ProviderUpstream } from "../provider.ts";
import { bareDeps } from "../testing/bare-deps.ts";
import { createClaude } from "./claude.ts";
import { toOptions } from "./options.ts";

const upstream: ProviderUpstream = {
  name: "anthropic",
  api: "Anthropic",
  placeholder: "placeholder-of-the-session",
  subscription: false,
  baseUrl: "http://127.0.0.1:1/anthropic",
};

/** Stands for a harness that is broken, which the real one never is when a test wants it. */
async function brokenHarness(query: string) {
  const folder = await mkdtemp(join(tmpdir(), "copepod-claude-"));
  const sdk = join(folder, "node_modules", "@anthropic-ai", "claude-agent-sdk");
  await mkdir(sdk, { recursive: true });
  await writeFile(join(sdk, "sdk.mjs"), `export function query() { ${query} }`);
  const deps = { ...bareDeps(folder), harnessDir: folder, upstreams: [upstream] };
  return { deps, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

const input = { prompt: { seqs: [1], text: "hello" }, instructions: "", continuation: undefined };

describe("a harness that can't be run", () => {
  for (const query of [
    "throw new Error('no such file')",
    "return { async *[Symbol.asyncIterator]() { throw new Error('not allowed'); }, close() {} };",
  ]) {
    it(`fails the turn, which is tried again: ${query.slice(0, 6)}`, async () => {
      await using harness = await brokenHarness(query);
      const provider = await createClaude(harness.deps);
      const events = await Array.fromAsync(provider.start(input).events);
      assert.deepEqual(
        events.map((event) => [event.kind, event.kind === "failed" && event.class]),
        [["failed", "transient"]],
      );
      await provider.close();
    });
  }
});

describe("the environment of Claude", () => {
  const noHook = async () => ({});
  const environment = (model: string | undefined, subscription: boolean) =>
    toOptions(
      { ...bareDeps("/session"), model },
      {
        upstream: { ...upstream, subscription },
        instructions: "",
        resume: undefined,
        onPrompt: noHook,
        onCompact: noHook,
        spawn: () => assert.fail("nothing is started"),
      },
    ).env;

  it("has the placeholder where a key or the token of a subscription belongs", () => {
    assert.equal(environment(undefined, false).ANTHROPIC_AUTH_TOKEN, upstream.placeholder);
    const { ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_OAUTH_TOKEN } = environment(undefined, true);
    assert.deepEqual([ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_OAUTH_TOKEN], [undefined, upstream.placeholder]);
  });

  it("names the one model of an API without Claude also for small tasks", () => {
    assert.equal(environment("qwen3-coder", false).ANTHROPIC_DEFAULT_HAIKU_MODEL, "qwen3-coder");
    assert.equal(environment("claude-opus-4-8", false).ANTHROPIC_DEFAULT_HAIKU_MODEL, undefined);
  });
});
