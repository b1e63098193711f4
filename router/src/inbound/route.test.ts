import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inboundEventSchema } from "@copepod/core/channel-api";
import { channelSchema } from "@copepod/crds/channel";
import { buildResources } from "../resources/testing.ts";
import { type Decision, route } from "./route.ts";

const wiring = (name: string, spec: object) => ({
  kind: "Wiring",
  metadata: { name },
  spec: { channel: "chat", ...spec },
});
const group = (name: string) => ({ kind: "AgentGroup", metadata: { name }, spec: {} });
const user = (identities: string[], roles: object[]) => ({
  kind: "User",
  metadata: { name: "ann" },
  spec: { identities, roles },
});

interface Case {
  readonly resources: object[];
  readonly event?: object;
  readonly defaults?: object;
  readonly chosenGroup?: string;
}

function decide({ resources, event = {}, defaults = { unknownSenders: "Public" }, chosenGroup }: Case): Decision[] {
  const channel = channelSchema.parse({
    apiVersion: "copepod.dev/v1alpha1",
    kind: "Channel",
    metadata: { name: "chat" },
    spec: { type: "test", defaults },
  });
  return route({
    namespace: "default",
    channelName: "chat",
    channel,
    chosenGroup,
    resources: buildResources([group("helper"), group("second"), ...resources]),
    event: inboundEventSchema.parse({
      dedupeKey: "1",
      occurredAt: 0,
      conversation: { address: "c1", kind: "Direct" },
      sender: { id: "ann" },
      text: "hello",
      ...event,
    }),
  });
}

const groupsOf = (decisions: Decision[]) => decisions.map((d) => (d.kind === "deliver" ? d.group : d.code));
const direct = { kind: "Direct" };
const inGroup = (extra: object = {}) => ({ conversation: { address: "g1", kind: "Group" }, ...extra });

describe("routing", () => {
  it("delivers a direct message by a wiring for the kind", () => {
    const decisions = decide({ resources: [wiring("w", { conversation: direct, group: "helper" })] });
    assert.deepEqual(decisions, [{ kind: "deliver", group: "helper", sessionMode: "Shared", trigger: true }]);
  });

  it("refuses an addressed message that no wiring names, and drops one that addresses nobody", () => {
    assert.deepEqual(groupsOf(decide({ resources: [] })), ["notWired"]);
    assert.deepEqual(decide({ resources: [], event: inGroup() }), []);
  });

  it("lets an id beat a kind, whatever the priority", () => {
    const resources = [
      wiring("kind", { conversation: direct, group: "second", priority: 9 }),
      wiring("id", { conversation: { id: "c1" }, group: "helper" }),
    ];
    assert.deepEqual(groupsOf(decide({ resources })), ["helper"]);
  });

  it("fans out to several groups by priority, once per group", () => {
    const resources = [
      wiring("a", { conversation: direct, group: "helper", priority: 1 }),
      wiring("b", { conversation: direct, group: "second", priority: 5 }),
      wiring("c", { conversation: direct, group: "helper", priority: 3 }),
    ];
    assert.deepEqual(groupsOf(decide({ resources })), ["second", "helper"]);
  });

  it("stops at an Ignore, without calling that a missing wiring", () => {
    const resources = [
      wiring("a", { conversation: direct, action: "Ignore", priority: 2 }),
      wiring("b", { conversation: direct, group: "helper", priority: 1 }),
    ];
    assert.deepEqual(decide({ resources }), []);
  });

  it("refuses when the agent group does not exist", () => {
    const resources = [wiring("w", { conversation: direct, group: "gone" })];
    assert.deepEqual(groupsOf(decide({ resources })), ["groupMissing"]);
  });

  it("waits for a mention in a group, keeps the rest as context only when asked to", () => {
    const drop = [wiring("w", { conversation: { kind: "Group" }, group: "helper" })];
    assert.deepEqual(decide({ resources: drop, event: inGroup() }), []);
    assert.equal(decide({ resources: drop, event: inGroup({ mentionsAgent: true }) }).length, 1);
    const keep = [wiring("w", { conversation: { kind: "Group" }, group: "helper", unaddressed: "Accumulate" })];
    const [decision] = decide({ resources: keep, event: inGroup() });
    assert.equal(decision?.kind === "deliver" && decision.trigger, false);
  });

  it("engages by pattern", () => {
    const spec = { conversation: { kind: "Group" }, group: "helper", engage: { mode: "Pattern", pattern: "^!bot" } };
    const resources = [wiring("w", spec)];
    assert.equal(decide({ resources, event: inGroup({ text: "!bot hi" }) }).length, 1);
    assert.equal(decide({ resources, event: inGroup({ text: "hi !bot" }) }).length, 0);
  });

  it("refuses strangers on a strict channel, and knows people by their role for the group", () => {
    const resources = [wiring("w", { conversation: direct, group: "helper" })];
    const strict = { unknownSenders: "Strict" };
    assert.deepEqual(groupsOf(decide({ resources, defaults: strict })), ["senderUnknown"]);
    const known = [...resources, user(["chat:ann"], [{ role: "Member", group: "helper" }])];
    assert.deepEqual(groupsOf(decide({ resources: known, defaults: strict })), ["helper"]);
    const elsewhere = [...resources, user(["chat:ann"], [{ role: "Member", group: "second" }])];
    assert.deepEqual(groupsOf(decide({ resources: elsewhere, defaults: strict })), ["senderUnknown"]);
  });

  it("asks for known senders on a public channel when the wiring says so", () => {
    const resources = [wiring("w", { conversation: direct, group: "helper", senders: "Known" })];
    assert.deepEqual(groupsOf(decide({ resources })), ["senderUnknown"]);
  });

  it("never tells a stranger in a group who did not address the agent", () => {
    const spec = { conversation: { kind: "Group" }, group: "helper", unaddressed: "Accumulate", senders: "Known" };
    assert.deepEqual(decide({ resources: [wiring("w", spec)], event: inGroup() }), []);
  });

  it("follows the group that the person chose: without a wiring if they have a role in it", () => {
    const member = user(["chat:ann"], [{ role: "Member", group: "second" }]);
    assert.deepEqual(groupsOf(decide({ resources: [member], chosenGroup: "second" })), ["second"]);
    assert.deepEqual(groupsOf(decide({ resources: [member], chosenGroup: "helper" })), ["senderUnknown"]);
    assert.deepEqual(groupsOf(decide({ resources: [member], chosenGroup: "gone" })), ["groupMissing"]);
  });

  it("lets a choice of the person get round no wiring", () => {
    const choose = (spec: object, defaults = { unknownSenders: "Public" }) => {
      const resources = [wiring("w", { conversation: direct, group: "helper", ...spec })];
      return groupsOf(decide({ resources, defaults, chosenGroup: "helper" }));
    };
    assert.deepEqual(choose({}), ["helper"]);
    assert.deepEqual(choose({ senders: "Known" }), ["senderUnknown"]);
    assert.deepEqual(choose({ unknownSenders: "Strict" }), ["senderUnknown"]);
    assert.deepEqual(choose({}, { unknownSenders: "Strict" }), ["senderUnknown"]);
    assert.deepEqual(choose({ unknownSenders: "Public" }, { unknownSenders: "Strict" }), ["helper"]);
    assert.deepEqual(choose({ action: "Ignore", group: undefined }), ["senderUnknown"]);
  });
});
