import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { credentialSchema } from "@copepod/crds/credential";
import { privateUpstream } from "./upstreams.ts";

const of = (baseUrl: string, isPrivate = true) =>
  privateUpstream(
    credentialSchema.parse({
      ...{ apiVersion: "copepod.dev/v1alpha1", kind: "Credential", metadata: { name: "c", namespace: "agents" } },
      spec: { upstream: { api: "OpenAI", baseUrl, private: isPrivate } },
    }),
  );

describe("where a private upstream is", () => {
  for (const [baseUrl, expected] of [
    ["http://10.0.0.7:8000/v1", { kind: "address", address: "10.0.0.7", port: 8000 }],
    ["https://[fd00::7]", { kind: "address", address: "fd00::7", port: 443 }],
    ["http://ollama.models.svc:11434", { kind: "service", namespace: "models", port: 11_434 }],
    ["http://ollama.models.svc.cluster.local", { kind: "service", namespace: "models", port: 80 }],
    ["http://ollama", { kind: "service", namespace: "agents", port: 80 }],
    ["https://model.example.org", { kind: "name", host: "model.example.org", port: 443 }],
    ["http://localhost:8000", undefined],
  ] as const) {
    it(`${baseUrl}: ${expected?.kind ?? "nowhere else"}`, () => assert.deepEqual(of(baseUrl), expected));
  }

  it("a public one opens nothing", () => assert.equal(of("https://model.example.org", false), undefined));
});
