import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { apiVersion } from "./definition.ts";
import { describeIssues, parseResource, pathText } from "./parse.ts";
import { channel, group, named, type RefusedDocuments, resource } from "./testing/documents.ts";
import { serverPath } from "./testing/paths.ts";
import { rows } from "./testing/rows.ts";

/** What the API server never sees in this form: there, address and verb of a call say kind and namespace. */
const refusedHere: RefusedDocuments = {
  nothing: [null, "", /must be an object/],
  "a list": [[], "", /must be an object/],
  "no apiVersion": [{ kind: "User" }, "apiVersion", /must be copepod\.dev\/v1alpha1/],
  "another apiVersion": [{ ...group(), apiVersion: "v1" }, "apiVersion", /must be/],
  "no kind": [{ apiVersion }, "kind", /must be one of AgentGroup, Session/],
  "an unknown kind": [resource("Agent"), "kind", /must be one of/],
  "a kind that every object has": [resource("constructor"), "kind", /must be one of/],
  "an empty namespace": [named({ name: "x", namespace: "" }), "metadata.namespace", />=1/],
  "a namespace in capitals": [named({ name: "x", namespace: "Team" }), "metadata.namespace", /RFC 1123/],
  // The API server refuses only the first of them.
  "a label that no map here can hold": [named({ name: "x", labels: { ["__proto__"]: "y" } }), "", /"__proto__"/],
  "a setting that no map here can hold": [channel({ type: "t", config: { ["__proto__"]: "y" } }), "", /"__proto__"/],
  // The API server knows these, a file can't: they say something about one stored object.
  ...Object.fromEntries(
    ["uid", "resourceVersion", "generateName", "finalizers", "ownerReferences", "managedFields"].map((field) => [
      `metadata with ${field}`,
      [named({ name: "x", [field]: "y" }), `metadata.${field}`, /unknown field/],
    ]),
  ),
};

/** As it comes out of a file. */
const parse = (document: unknown) => parseResource(JSON.parse(JSON.stringify(document)));

describe("a resource", () => {
  for (const { name, document, refusal } of rows) {
    if (refusal === undefined) {
      it(`is accepted: ${name}`, () => {
        const result = parse(document);
        assert.ok(result.ok, result.ok ? "" : describeIssues(result.issues));
      });
    } else it(`is refused: ${name}`, () => assertRefused(document, refusal.path, refusal.reason));
  }
  for (const [name, [document, path, reason]] of Object.entries(refusedHere)) {
    it(`is refused: ${name}`, () => assertRefused(document, path, reason));
  }
});

function assertRefused(document: unknown, path: string, reason: string | RegExp): void {
  const result = parse(document);
  assert.ok(!result.ok);
  assert.deepEqual([...new Set(result.issues.map((issue) => serverPath(pathText(issue.path))))], [path]);
  const reasons = result.issues.map((issue) => issue.reason);
  assert.ok(
    reasons.some((one) => (typeof reason === "string" ? one === reason : reason.test(one))),
    `${reasons.join("; ")}, not ${reason}`,
  );
}

describe("a document that no JSON can hold", () => {
  it("is refused: one that contains itself, as YAML allows", () => {
    const config: Record<string, unknown> = {};
    config.self = config;
    assert.deepEqual(parseResource(channel({ type: "t", config })), notWritten);
  });

  it("is refused: one that is nested too deeply", () => {
    let config: object = {};
    for (let depth = 0; depth < 100_000; depth++) config = { config };
    assert.deepEqual(parseResource(channel({ type: "t", config })), notWritten);
  });

  const notWritten = { ok: false, issues: [{ path: [], reason: "must not contain itself, nor be nested too deeply" }] };
});

describe("what is read from a document", () => {
  it("has the defaults filled in", () => {
    const result = parseResource(group());
    assert.deepEqual(result, {
      ok: true,
      resource: {
        apiVersion,
        kind: "AgentGroup",
        metadata: { name: "x", namespace: "default" },
        spec: {
          suspended: false,
          instructions: "",
          agent: { provider: "demo", env: [], maxMessagesPerPrompt: 10 },
          tools: { mcpServers: [], skills: [] },
          credentials: [],
          session: { idleAfter: "10m", maxRunning: 10, onNodeLost: "Wait" },
          storage: { size: "10Gi", accessModes: ["ReadWriteOnce"], retain: "Keep" },
          teamWorkspaces: [],
          mounts: [],
          network: { allow: [] },
          timeZone: "UTC",
        },
      },
    });
  });

  it("has the defaults where nothing was given", () => {
    assert.deepEqual(parse(group({ instructions: null, tools: null, session: { maxRunning: null } })), parse(group()));
  });

  it("keeps the namespace", () => {
    const result = parse(named({ name: "x", namespace: "team" }));
    assert.equal(result.ok && result.resource.metadata.namespace, "team");
  });

  it("names every problem, and says how many there are in one sentence", () => {
    const result = parseResource(group({ extra: 1, other: 2, timeZone: 3 }));
    assert.ok(!result.ok);
    const paths = result.issues.map((issue) => pathText(issue.path)).sort();
    assert.deepEqual(paths, ["spec.extra", "spec.other", "spec.timeZone"]);
    assert.match(describeIssues(result.issues), /^spec\.[a-zA-Z]+: .+ \(and 2 more\)$/);
  });
});
