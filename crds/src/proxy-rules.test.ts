import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { proxyRulesSchema } from "@copepod/core/proxy-rules";
import { agentGroupSchema } from "./agent-group.ts";
import { type Credential, credentialSchema } from "./credential.ts";
import { apiVersion } from "./definition.ts";
import { renderProxyRules } from "./proxy-rules.ts";

const credential = (name: string, spec: object, namespace = "default"): [string, Credential] => [
  `${namespace}/${name}`,
  credentialSchema.parse({ apiVersion, kind: "Credential", metadata: { name, namespace }, spec }),
];

const group = (...credentials: string[]) =>
  agentGroupSchema.parse({ apiVersion, kind: "AgentGroup", metadata: { name: "helper" }, spec: { credentials } });

describe("the rules of a session's proxy", () => {
  it("are empty for a group without credentials", () => {
    const rendered = renderProxyRules(group(), new Map([credential("other", { upstream: { api: "OpenAI" } })]));
    assert.deepEqual(rendered, {
      rules: { group: "helper", upstreams: [], rules: [] },
      missing: [],
      overlapping: [],
    });
  });

  it("let through what Anthropic's API needs, with the key in x-api-key", () => {
    const spec = { upstream: { api: "Anthropic" }, secretRef: { name: "keys" }, revision: 3 };
    const { rules } = renderProxyRules(group("anthropic"), new Map([credential("anthropic", spec)]));
    const common = {
      credential: "anthropic",
      hosts: ["api.anthropic.com"],
      inject: { header: "x-api-key", format: "{secret}" },
      secret: { name: "keys", key: "key" },
      revision: 3,
    };
    assert.deepEqual(rules, {
      group: "helper",
      upstreams: [
        {
          name: "anthropic",
          api: "Anthropic",
          baseUrl: "https://api.anthropic.com",
          private: false,
          subscription: false,
        },
      ],
      rules: [
        { ...common, paths: ["/v1/messages", "/v1/messages/count_tokens"], methods: ["POST"] },
        { ...common, paths: ["/v1/models"], methods: ["GET"] },
      ],
    });
    assert.deepEqual(proxyRulesSchema.parse(rules), rules, "the proxy accepts them");
  });

  it("put a base URL's host, port and path into the rules, and no key where there is none", () => {
    const spec = { upstream: { api: "OpenAI", baseUrl: "http://127.0.0.1:11434/v1", private: true } };
    const { rules } = renderProxyRules(group("ollama"), new Map([credential("ollama", spec)]));
    assert.deepEqual(
      rules.rules.map(({ hosts, paths, inject, secret }) => ({ hosts, paths, inject, secret })),
      [
        {
          hosts: ["127.0.0.1:11434"],
          paths: ["/v1/responses", "/v1/responses/compact", "/v1/chat/completions"],
          inject: { header: "authorization", format: "Bearer {secret}" },
          secret: undefined,
        },
        {
          hosts: ["127.0.0.1:11434"],
          paths: ["/v1/models"],
          inject: { header: "authorization", format: "Bearer {secret}" },
          secret: undefined,
        },
      ],
    );
  });

  it("put a subscription's token in as a bearer token", () => {
    const spec = { upstream: { api: "Anthropic", subscription: true }, secretRef: { name: "claude" } };
    const { rules } = renderProxyRules(group("claude"), new Map([credential("claude", spec)]));
    assert.deepEqual(rules.rules[0]?.inject, { header: "authorization", format: "Bearer {secret}" });
    assert.equal(rules.upstreams[0]?.subscription, true);
  });

  it("follow a Credential's own match and injection", () => {
    const spec = {
      upstream: { api: "OpenAI", baseUrl: "https://llm.example.org/v1" },
      match: { paths: ["/v1/**"], methods: ["POST"] },
      inject: { header: "api-key", format: "{secret}" },
    };
    const { rules } = renderProxyRules(group("llm"), new Map([credential("llm", spec)]));
    assert.deepEqual(rules.rules, [
      {
        credential: "llm",
        hosts: ["llm.example.org"],
        paths: ["/v1/**"],
        methods: ["POST"],
        inject: { header: "api-key", format: "{secret}" },
        revision: 0,
      },
    ]);
  });

  it("keep the group's order, and take Credentials of its namespace only", () => {
    const all = new Map([
      credential("a", { upstream: { api: "OpenAI" } }),
      credential("b", { upstream: { api: "Anthropic" } }),
      credential("c", { upstream: { api: "Anthropic" } }, "other"),
    ]);
    const { rules, missing } = renderProxyRules(group("b", "nobody", "c", "a"), all);
    assert.deepEqual(
      rules.upstreams.map(({ name }) => name),
      ["b", "a"],
    );
    assert.deepEqual(missing, ["nobody", "c"]);
  });

  it("leave out a Credential that claims requests of one before it", () => {
    const all = new Map([
      credential("anthropic", { upstream: { api: "Anthropic" } }),
      credential("claude", { upstream: { api: "Anthropic", subscription: true } }),
      credential("openai", { upstream: { api: "OpenAI" } }),
    ]);
    const { rules, overlapping } = renderProxyRules(group("anthropic", "claude", "openai"), all);
    assert.deepEqual(
      rules.upstreams.map(({ name }) => name),
      ["anthropic", "openai"],
    );
    assert.deepEqual(overlapping, [{ name: "claude", with: "anthropic", where: "POST api.anthropic.com/v1/messages" }]);
    assert.ok(rules.rules.every((rule) => rule.credential !== "claude"));
  });
});
