import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { apiVersion } from "./definition.ts";
import { describeIssues, parseResource, pathText } from "./parse.ts";

const resource = (kind: string, spec?: unknown, metadata: object = { name: "x" }) => ({
  apiVersion,
  kind,
  metadata,
  ...(spec === undefined ? {} : { spec }),
});

const group = (spec?: unknown) => resource("AgentGroup", spec);
const channel = (spec: unknown) => resource("Channel", spec);
const user = (spec: unknown) => resource("User", spec);
const credential = (spec: object, name = "x") => resource("Credential", spec, { name });
const upstream = (one: object) => credential({ upstream: { api: "OpenAI", ...one } });
const match = (one: object) =>
  credential({
    match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"], ...one },
    inject: { header: "authorization", format: "Bearer {secret}" },
  });
const inject = (one: object) =>
  credential({ upstream: { api: "OpenAI" }, inject: { header: "authorization", format: "{secret}", ...one } });
const mcp = (...servers: object[]) => group({ tools: { mcpServers: servers } });
const session = (spec: object) => resource("Session", { group: "g", ...spec });
const wiring = (spec: object) =>
  resource("Wiring", { channel: "c", conversation: { kind: "Direct" }, group: "g", ...spec });
const named = (metadata: object) => resource("AgentGroup", {}, metadata);

const accepted: Record<string, unknown> = {
  "an agent group without a spec": group(),
  "an agent group with everything": group({
    instructions: "line\n\ttwo",
    agent: { provider: "demo", model: "claude-sonnet-4-5", effort: "High", maxMessagesPerPrompt: 100 },
    tools: {
      mcpServers: [{ name: "notes", command: "npx", args: ["-y", "notes"], env: [{ name: "A_1", value: "b c" }] }],
      skills: ["write-letters"],
    },
    credentials: ["second", "first"],
    session: { idleAfter: "1h30m", maxRunning: 1000 },
    timeZone: "America/Argentina/Buenos_Aires",
  }),
  "the longest instructions": group({ instructions: "x".repeat(65_536) }),
  "seconds only": group({ session: { idleAfter: "90s" } }),
  "hours and seconds": group({ session: { idleAfter: "2h5s" } }),
  "a status, which is dropped": { ...group(), status: { anything: 1 } },
  "a namespace, labels and annotations": named({
    name: "x",
    namespace: "team",
    labels: { "copepod.dev/decided-in": "chat", empty: "" },
    annotations: { note: "free text: é" },
  }),
  "the longest name": named({ name: "x".repeat(63) }),
  "an MCP server with nothing but a command": mcp({ name: "a", command: "/bin/a" }, { name: "b", command: "b" }),
  "a credential of a model API": credential({ upstream: { api: "Anthropic" }, secretRef: { name: "anthropic" } }),
  "a credential with everything": credential({
    upstream: { api: "Anthropic", baseUrl: "http://127.0.0.1:11434/a/b.c", private: true, subscription: true },
    match: { paths: ["/a/b.c/v1/messages"], methods: ["POST"] },
    inject: { header: "x-key", format: "Token {secret}" },
    secretRef: { name: "team", key: "token.txt" },
    revision: 7,
  }),
  "a credential of other hosts": match({
    hosts: ["*.example.org", "api.example.org", "git.example.org:8443", "10.0.0.1:80", "localhost"],
    paths: ["/", "/**", "/a/*/c", "/repos/**", "/.well-known/x", "/a/"],
    methods: ["GET", "PROPFIND"],
  }),
  "a base URL with a port and a path": upstream({ baseUrl: "https://llm.example.org:8443/openai/v1" }),
  "a base URL that is an address": upstream({ baseUrl: "https://[2001:db8::1]/v1" }),
  "a credential called v1 without an upstream": { ...match({}), metadata: { name: "v1" } },
  "a channel of a type": channel({ type: "terminal" }),
  "any configuration of an adapter": channel({ type: "test", config: { a: [1, { b: null }], c: "d" } }),
  "defaults of a channel": channel({
    type: "t",
    defaults: { unknownSenders: "Public", engage: { mode: "Pattern", pattern: "^hey" }, unaddressed: "Accumulate" },
  }),
  "a wiring by kind": wiring({}),
  "a wiring by id": wiring({ conversation: { id: "chat:42/é" } }),
  "a wiring that ignores": wiring({ action: "Ignore", group: undefined }),
  "every choice of a wiring": wiring({
    engage: { mode: "Mention" },
    senders: "Known",
    unknownSenders: "Strict",
    unaddressed: "Drop",
    sessionMode: "AgentShared",
    priority: 1000,
  }),
  "a pattern without a mode": wiring({ engage: { pattern: "\\b[Bb]ot(s|ling)?\\b" } }),
  "a person with roles": user({
    identities: ["slack-acme:U1", "terminal:ada"],
    displayName: "Ada",
    roles: [{ role: "Owner" }, { role: "Admin", group: "g" }, { role: "Member", group: "g" }],
  }),
  "a platform id with a colon": user({ identities: ["matrix:@ada:example.org"] }),
  "a session of a conversation": session({ key: { kind: "Conversation", conversation: "01" } }),
  "a session of a thread": session({ key: { kind: "Thread", conversation: "01", thread: "7" } }),
  "a session of a group, awake": session({ key: { kind: "Group" }, wake: { wanted: true, epoch: 7 } }),
};

const refused: Record<string, [document: unknown, path: string, reason: RegExp]> = {
  nothing: [null, "", /must be an object/],
  "a list": [[], "", /must be an object/],
  "no apiVersion": [{ kind: "User" }, "apiVersion", /must be copepod\.dev\/v1alpha1/],
  "another apiVersion": [{ ...group(), apiVersion: "v1" }, "apiVersion", /must be/],
  "no kind": [{ apiVersion }, "kind", /must be one of AgentGroup, Session/],
  "an unknown kind": [resource("Agent"), "kind", /must be one of/],
  "a kind that every object has": [resource("constructor"), "kind", /must be one of/],
  "a field beside the spec": [{ ...group(), sepc: {} }, "sepc", /unknown field/],
  "no metadata": [{ ...group(), metadata: undefined }, "metadata", /expected object/],
  "no name": [named({}), "metadata.name", /expected string/],
  "a name in capitals": [named({ name: "Helper" }), "metadata.name", /RFC 1123/],
  "a name that ends with a dash": [named({ name: "x-" }), "metadata.name", /RFC 1123/],
  "a name with a line feed behind it": [named({ name: "x\n" }), "metadata.name", /RFC 1123/],
  "a name that is too long": [named({ name: "x".repeat(64) }), "metadata.name", /<=63/],
  "an empty namespace": [named({ name: "x", namespace: "" }), "metadata.namespace", />=1/],
  "an unknown field of metadata": [named({ name: "x", lables: {} }), "metadata.lables", /unknown field/],
  "a label with a space": [named({ name: "x", labels: { a: "b c" } }), "metadata.labels.a", /label value/],
  "a bad label key": [named({ name: "x", labels: { "a b": "c" } }), "metadata.labels.a b", /label key/],
  "a number as a label": [named({ name: "x", labels: { a: 1 } }), "metadata.labels.a", /expected string/],
  "a misspelt field": [group({ session: { idelAfter: "1m" } }), "spec.session.idelAfter", /unknown field/],
  "a spec that is text": [group("x"), "spec", /expected object/],
  "instructions that are too long": [group({ instructions: "x".repeat(65_537) }), "spec.instructions", /65536/],
  "instructions with NUL": [group({ instructions: "a\0b" }), "spec.instructions", /control characters/],
  "a duration without a unit": [group({ session: { idleAfter: "10" } }), "spec.session.idleAfter", /duration/],
  "a duration as a number": [group({ session: { idleAfter: 10 } }), "spec.session.idleAfter", /expected string/],
  "units in another order": [group({ session: { idleAfter: "5s1m" } }), "spec.session.idleAfter", /duration/],
  "an ISO duration": [group({ session: { idleAfter: "PT5M" } }), "spec.session.idleAfter", /duration/],
  "a duration of nothing": [group({ session: { idleAfter: "0h0s" } }), "spec.session.idleAfter", /at least 1s/],
  "no place for a session": [group({ session: { maxRunning: 0 } }), "spec.session.maxRunning", />=1/],
  "half a message": [group({ agent: { maxMessagesPerPrompt: 1.5 } }), "spec.agent.maxMessagesPerPrompt", /int/],
  "too many messages": [group({ agent: { maxMessagesPerPrompt: 101 } }), "spec.agent.maxMessagesPerPrompt", /<=100/],
  "a zone that nobody knows": [group({ timeZone: "Mars/Base" }), "spec.timeZone", /IANA/],
  "an offset as a zone": [group({ timeZone: "+01:00" }), "spec.timeZone", /IANA/],
  "an effort that nobody knows": [group({ agent: { effort: "Huge" } }), "spec.agent.effort", /Low/],
  "a model without a name": [group({ agent: { model: "" } }), "spec.agent.model", />=1/],
  "two MCP servers of one name": [
    mcp({ name: "a", command: "b" }, { name: "a", command: "c" }),
    "spec.tools.mcpServers",
    /same name twice/,
  ],
  "an MCP server that takes Copepod's name": [
    mcp({ name: "copepod", command: "x" }),
    "spec.tools.mcpServers[0].name",
    /Copepod's own/,
  ],
  "an MCP server without a command": [mcp({ name: "a" }), "spec.tools.mcpServers[0].command", /expected string/],
  "a variable twice": [
    mcp({ name: "a", command: "b", env: [1, 2].map((value) => ({ name: "A", value: `${value}` })) }),
    "spec.tools.mcpServers[0].env",
    /same name twice/,
  ],
  "a variable with a dash": [
    mcp({ name: "a", command: "b", env: [{ name: "A-B", value: "" }] }),
    "spec.tools.mcpServers[0].env[0].name",
    /environment variable/,
  ],
  "a skill outside of its folder": [group({ tools: { skills: ["../x"] } }), "spec.tools.skills[0]", /RFC 1123/],
  "a credential twice": [group({ credentials: ["a", "a"] }), "spec.credentials", /twice/],
  "a credential of nothing": [credential({}), "spec", /exactly one of upstream and match\.hosts/],
  "a credential that matches hosts beside its upstream": [
    credential({ upstream: { api: "OpenAI" }, match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"] } }),
    "spec",
    /exactly one/,
  ],
  "a match without an injection": [
    credential({ match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"] } }),
    "spec",
    /inject is required/,
  ],
  "an upstream in the place of the proxy's own API": [
    credential({ upstream: { api: "OpenAI" } }, "v1"),
    "metadata.name",
    /must not be called "v1"/,
  ],
  "an API that nobody knows": [upstream({ api: "Gemini" }), "spec.upstream.api", /Anthropic/],
  "a subscription of OpenAI": [upstream({ subscription: true }), "spec.upstream", /only for the api Anthropic/],
  "http on a public host": [upstream({ baseUrl: "http://llm.example.org" }), "spec.upstream", /private: true/],
  ...Object.fromEntries(
    [
      "https://a.example/",
      "https://a.example/v1?key=1",
      "https://a.example/v1#x",
      "https://user:pass@a.example",
      "https://A.example",
      "https://a.example/../b",
      "https://a.example//b",
      "https://a.example/%2e",
      "https://a.example/a.",
      "https://a.example/a&b",
      "https://a.example:0",
      "https://a.example:65536",
      "https://0x7f.1",
      "https://2130706433",
      "https://256.1.1.1",
      "https://[:::]",
      "ftp://a.example",
      "a.example",
      "https://",
    ].map((baseUrl) => [`the base URL ${baseUrl}`, [upstream({ baseUrl }), "spec.upstream.baseUrl", /must be/]]),
  ),
  ...Object.fromEntries(
    [
      "",
      "*",
      "*.org",
      "a.*.org",
      "*.example.org:1",
      "A.example",
      "a.example/x",
      "https://a.example",
      "a..b",
      "1.2",
      "*.1.2",
      "[::1]",
    ].map((host) => [`the host “${host}”`, [match({ hosts: [host] }), "spec.match.hosts[0]", /must be a host/]]),
  ),
  ...Object.fromEntries(
    ["", "a", "/a?b", "/a#b", "/../a", "/a/.", "//a", "/a/**/b", "/a*", "/%2e%2e/a", "/a;b", "/a\\b"].map((path) => [
      `the path “${path}”`,
      [match({ paths: [path] }), "spec.match.paths[0]", /must be a path/],
    ]),
  ),
  "a method in small letters": [match({ methods: ["get"] }), "spec.match.methods[0]", /capitals/],
  "a match of no methods": [match({ methods: [] }), "spec.match.methods", />=1/],
  "a header in capitals": [inject({ header: "X-Api-Key" }), "spec.inject.header", /lower case/],
  "a header about the connection": [inject({ header: "transfer-encoding" }), "spec.inject.header", /connection itself/],
  "a format without the key": [inject({ format: "Bearer" }), "spec.inject.format", /exactly once/],
  "a format with the key twice": [inject({ format: "{secret}:{secret}" }), "spec.inject.format", /exactly once/],
  "a format with a line feed": [inject({ format: "{secret}\nx: y" }), "spec.inject.format", /printable ASCII/],
  "a key outside of its folder": [
    credential({ upstream: { api: "OpenAI" }, secretRef: { name: "a", key: "../b" } }),
    "spec.secretRef.key",
    /letters, digits/,
  ],
  "a negative revision": [credential({ upstream: { api: "OpenAI" }, revision: -1 }), "spec.revision", />=0/],
  "a channel without a type": [channel({}), "spec.type", /expected string/],
  "a channel without a spec": [resource("Channel"), "spec", /expected object/],
  "a configuration that is a list": [channel({ type: "t", config: [] }), "spec.config", /expected record/],
  "an unknown choice": [
    channel({ type: "t", defaults: { unknownSenders: "Ask" } }),
    "spec.defaults.unknownSenders",
    /Strict/,
  ],
  "a conversation by id and kind": [
    wiring({ conversation: { id: "a", kind: "Group" } }),
    "spec.conversation",
    /exactly one/,
  ],
  "a conversation by nothing": [wiring({ conversation: {} }), "spec.conversation", /exactly one/],
  "an answer by nobody": [wiring({ group: undefined }), "spec", /group is required/],
  "a broken pattern": [wiring({ engage: { pattern: "(" } }), "spec.engage.pattern", /regular expression/],
  "a pattern with look-ahead": [wiring({ engage: { pattern: "a(?=b)" } }), "spec.engage.pattern", /look-around/],
  "a pattern with look-behind": [wiring({ engage: { pattern: "(?<!a)b" } }), "spec.engage.pattern", /look-around/],
  "a pattern with a back-reference": [wiring({ engage: { pattern: "(a)\\1" } }), "spec.engage.pattern", /look-around/],
  "a pattern for mentions": [
    wiring({ engage: { mode: "Mention", pattern: "x" } }),
    "spec.engage",
    /only for mode Pattern/,
  ],
  "a priority above the bound": [wiring({ priority: 1001 }), "spec.priority", /<=1000/],
  "a person without a face": [user({ identities: [] }), "spec.identities", />=1/],
  "the same face twice": [user({ identities: ["a:1", "a:1"] }), "spec.identities", /twice/],
  "a face without a channel": [user({ identities: ["ada"] }), "spec.identities[0]", /<channel>:<platform user id>/],
  "an owner of one group": [
    user({ identities: ["a:1"], roles: [{ role: "Owner", group: "g" }] }),
    "spec.roles[0]",
    /no group/,
  ],
  "an unknown role": [user({ identities: ["a:1"], roles: [{ role: "King" }] }), "spec.roles[0].role", /Owner/],
  "a conversation that has no id": [session({ key: { kind: "Conversation" } }), "spec.key", /conversation is required/],
  "a thread without a thread": [
    session({ key: { kind: "Thread", conversation: "1" } }),
    "spec.key",
    /thread is required/,
  ],
  "a negative epoch": [session({ key: { kind: "Group" }, wake: { epoch: -1 } }), "spec.wake.epoch", />=0/],
};

describe("a resource", () => {
  for (const [what, document] of Object.entries(accepted)) {
    it(`is accepted: ${what}`, () => {
      const result = parseResource(JSON.parse(JSON.stringify(document)));
      assert.ok(result.ok, result.ok ? "" : describeIssues(result.issues));
    });
  }
  for (const [what, [document, path, reason]] of Object.entries(refused)) {
    it(`is refused: ${what}`, () => {
      const result = parseResource(document === null ? null : JSON.parse(JSON.stringify(document)));
      assert.ok(!result.ok);
      assert.equal(pathText(result.issues[0]?.path ?? []), path);
      assert.match(result.issues[0]?.reason ?? "", reason);
    });
  }
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
          instructions: "",
          agent: { provider: "demo", maxMessagesPerPrompt: 10 },
          tools: { mcpServers: [], skills: [] },
          credentials: [],
          session: { idleAfter: "10m", maxRunning: 10 },
          timeZone: "UTC",
        },
      },
    });
  });

  it("names every problem, and says how many there are in one sentence", () => {
    const result = parseResource(group({ extra: 1, other: 2, timeZone: 3 }));
    assert.ok(!result.ok);
    const paths = result.issues.map((issue) => pathText(issue.path)).sort();
    assert.deepEqual(paths, ["spec.extra", "spec.other", "spec.timeZone"]);
    assert.match(describeIssues(result.issues), /^spec\.[a-zA-Z]+: .+ \(and 2 more\)$/);
  });
});
