import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noModels } from "../testing/run-cli.ts";
import type { KnownModelName } from "./known-models.ts";
import { chooseModel, type ModelEnvironment } from "./model-choice.ts";

const choose = (env: Partial<ModelEnvironment>, ...stored: KnownModelName[]) => {
  const choice = chooseModel({ ...noModels, ...env }, new Set(stored));
  if (!choice) return undefined;
  const { source, provider, key } = choice;
  return { source, provider, key, spec: JSON.parse(JSON.stringify(choice.credential)).spec };
};

describe("the model API of the sample agent", () => {
  it("is none without a key", () => assert.equal(choose({}), undefined));

  it("is Anthropic's before a subscription, and that before OpenAI's", () => {
    const all = { anthropicKey: "a", claudeToken: "c", openaiKey: "o" };
    assert.equal(choose(all)?.source, "ANTHROPIC_API_KEY");
    assert.equal(choose({ ...all, anthropicKey: undefined })?.source, "CLAUDE_CODE_OAUTH_TOKEN");
    assert.equal(choose({ openaiKey: "o" })?.source, "OPENAI_API_KEY");
  });

  it("is that of the environment before one whose key is stored", () => {
    assert.equal(choose({ openaiKey: "o" }, "anthropic")?.source, "OPENAI_API_KEY");
    assert.equal(choose({}, "openai", "claude")?.source, 'the key "claude"');
  });

  it("is a subscription with its token", () => {
    assert.deepEqual(choose({ claudeToken: " token\n" }), {
      source: "CLAUDE_CODE_OAUTH_TOKEN",
      provider: "claude",
      key: "token",
      spec: { upstream: { api: "Anthropic", subscription: true }, secretRef: { name: "claude" } },
    });
  });

  it("is one at a base URL, with a key, a bearer token or nothing", () => {
    const anthropicBaseUrl = "http://localhost:11434/";
    const upstream = { api: "Anthropic", baseUrl: "http://localhost:11434", private: true };
    const secretRef = { name: "anthropic" };
    assert.deepEqual(choose({ anthropicBaseUrl, anthropicKey: "a", anthropicToken: "t" })?.spec, {
      upstream,
      secretRef,
    });
    assert.deepEqual(choose({ anthropicBaseUrl, anthropicToken: "t" }), {
      source: "ANTHROPIC_AUTH_TOKEN and ANTHROPIC_BASE_URL",
      provider: "claude",
      key: "t",
      spec: { upstream, secretRef, inject: { header: "authorization", format: "Bearer {secret}" } },
    });
    assert.deepEqual(choose({ anthropicBaseUrl })?.spec, { upstream });
    assert.deepEqual(choose({ anthropicBaseUrl }, "anthropic")?.spec, { upstream, secretRef });
    assert.equal(choose({ anthropicToken: "t" }), undefined, "a token alone belongs nowhere");
  });

  const places: [string, string, boolean][] = [
    ["https://LLM.example.org/anthropic/", "https://llm.example.org/anthropic", false],
    ["https://8.8.8.8", "https://8.8.8.8", false],
    ["https://10.1.2.3:8443", "https://10.1.2.3:8443", true],
    ["https://172.31.0.1", "https://172.31.0.1", true],
    ["https://[::1]:1", "https://[::1]:1", true],
    ["https://[fd00::1]", "https://[fd00::1]", true],
    ["https://ollama", "https://ollama", true],
    ["https://llm.internal", "https://llm.internal", true],
    ["https://100.64.0.1", "https://100.64.0.1", true],
    ["http://[::1]:8080", "http://[::1]:8080", true],
    ["http://llm.local", "http://llm.local", true],
  ];
  for (const [given, baseUrl, isPrivate] of places) {
    it(`at ${given} is ${isPrivate ? "private" : "public"}`, () => {
      const { upstream } = choose({ anthropicBaseUrl: given })?.spec ?? {};
      assert.deepEqual([upstream.baseUrl, upstream.private], [baseUrl, isPrivate]);
    });
  }

  for (const anthropicBaseUrl of ["localhost:11434", "https://user:secret@a.example", "https://a.example/#secret"]) {
    it(`is refused at ${anthropicBaseUrl.replaceAll("secret", "…")} without telling what was in it`, () => {
      assert.throws(
        () => choose({ anthropicBaseUrl }),
        (error: Error) => /^ANTHROPIC_BASE_URL can't be used/.test(error.message) && !error.message.includes("secret"),
      );
    });
  }

  for (const anthropicBaseUrl of ["http://llm.example.org", "http://8.8.8.8/v1", "http://localhost.example.org"]) {
    it(`is refused at ${anthropicBaseUrl}: http would show the key on the way to a public host`, () => {
      assert.throws(() => choose({ anthropicBaseUrl }), {
        message: /^ANTHROPIC_BASE_URL can't be used: .*Use https, or write the Credential yourself\.$/,
      });
    });
  }

  it("is refused for a key that can't be one, without telling it", () => {
    assert.throws(
      () => choose({ openaiKey: "sé\ncret" }),
      (error: Error) => /^OPENAI_API_KEY can't be used/.test(error.message) && !error.message.includes("cret"),
    );
  });
});
