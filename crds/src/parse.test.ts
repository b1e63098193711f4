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
const session = (spec: object) => resource("Session", { group: "g", ...spec });
const wiring = (spec: object) =>
  resource("Wiring", { channel: "c", conversation: { kind: "Direct" }, group: "g", ...spec });
const named = (metadata: object) => resource("AgentGroup", {}, metadata);

const accepted: Record<string, unknown> = {
  "an agent group without a spec": group(),
  "an agent group with everything": group({
    instructions: "line\n\ttwo",
    agent: { provider: "demo", maxMessagesPerPrompt: 100 },
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
