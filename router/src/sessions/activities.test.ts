import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Conversation } from "../queue/queue-store.ts";
import { Activities } from "./activities.ts";

const conversation = (id: string, channel = "chat"): Conversation => ({
  id,
  namespace: "default",
  channel,
  address: `address of ${id}`,
  name: undefined,
  isGroup: false,
  servedByRouter: false,
});

describe("activities", () => {
  it("show typing from the commit of a row until its turn ends", () => {
    const changed: string[] = [];
    const activities = new Activities(({ id }) => changed.push(id));
    activities.started("s1", conversation("c1"), "t1");
    assert.deepEqual(activities.typingOf("default/chat").typing, [{ address: "address of c1", thread: "t1" }]);
    activities.reported("s1", { state: "tool", tool: "search" });
    assert.deepEqual(activities.ofConversation("c1").activity, { state: "tool", tool: "search" });
    activities.ended("s1");
    assert.deepEqual(activities.ofConversation("c1").activity, { state: "idle" });
    assert.deepEqual(activities.typingOf("default/chat").typing, []);
    assert.deepEqual(changed, ["c1", "c1", "c1"]);
  });

  it("give each state of a conversation its own version, untouched by other conversations", () => {
    const activities = new Activities(() => {});
    activities.started("s1", conversation("c1"), undefined);
    const before = activities.ofConversation("c1").version;
    activities.started("s2", conversation("c2", "other"), undefined);
    assert.equal(activities.ofConversation("c1").version, before);
    activities.reported("s1", { state: "thinking" });
    assert.equal(activities.ofConversation("c1").version, before, "the same state is no change");
    activities.reported("s1", { state: "tool" });
    assert.notEqual(activities.ofConversation("c1").version, before);
  });
});
