import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentGroupSchema } from "@copepod/crds/agent-group";
import { credentialSchema } from "@copepod/crds/credential";
import { apiVersion } from "@copepod/crds/definition";
import { renderProxyRules } from "@copepod/crds/proxy-rules";
import { compileRules } from "@copepod/credential-proxy/rules/rules";

const inject = { header: "x-token", format: "Token {secret}" };
const matching = (hosts: string[], paths: string[]) => ({
  match: { hosts, paths, methods: ["GET", "PROPFIND"] },
  inject,
});
const upstream = (more: object) => ({
  upstream: { api: "OpenAI", ...more },
  secretRef: { name: "a", key: "token.txt" },
});

/** Whatever a Credential may say at its edges. */
const specs: Record<string, object> = {
  "an official API": { upstream: { api: "Anthropic" } },
  "a subscription": { upstream: { api: "Anthropic", subscription: true }, secretRef: { name: "a" } },
  "a base URL with path and port": upstream({ baseUrl: "https://llm.example.org:8443/a.b/~c_d-e/.v1" }),
  "a base URL with the scheme's own port": upstream({ baseUrl: "https://llm.example.org:443/v1" }),
  "plain http on an address": upstream({ baseUrl: "http://[0:0:0:0:0:0:0:1]:80/v1", private: true }),
  "plain http on a short name": upstream({ baseUrl: "http://ollama", private: true }),
  "hosts of all kinds": matching(
    ["*.a.example", "b.example:443", "c.example:80", "10.0.0.1:8080", "xn--a.example"],
    ["/"],
  ),
  "paths of all kinds": matching(["a.example"], ["/", "/**", "/a/", "/*/b/*", "/a/**", "/.well-known/a~b,c=d"]),
};

describe("the proxy takes every rule that a Credential can lead to", () => {
  for (const [what, spec] of Object.entries(specs)) {
    it(what, () => {
      const metadata = { name: "one" };
      const credential = credentialSchema.parse({ apiVersion, kind: "Credential", metadata, spec });
      const group = agentGroupSchema.parse({
        apiVersion,
        kind: "AgentGroup",
        metadata,
        spec: { credentials: ["one"] },
      });
      const { rules } = renderProxyRules(group, new Map([["default/one", credential]]));
      const table = compileRules(rules);
      for (const { upstream, host, basePath } of table.routes.values()) {
        const path = `${basePath}${upstream.api === "OpenAI" ? "/responses" : "/v1/messages"}`;
        assert.equal(table.find({ host, path, method: "POST" })?.credential, "one");
      }
    });
  }
});
