import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sessionNameOf } from "./session-name.ts";

const key = { kind: "Conversation", conversation: "01J", thread: undefined } as const;

describe("the name of a session", () => {
  it("is the group and a hash of the key, the same each time", () => {
    const name = sessionNameOf("default", "helper", key);
    assert.match(name, /^default\/helper-[0-9a-f]{12}$/);
    assert.equal(name, sessionNameOf("default", "helper", key));
  });

  it("differs by group, conversation and thread", () => {
    const names = [
      sessionNameOf("default", "helper", key),
      sessionNameOf("default", "other", key),
      sessionNameOf("default", "helper", { ...key, conversation: "01K" }),
      sessionNameOf("default", "helper", { ...key, kind: "Thread", thread: "t" }),
    ];
    assert.equal(new Set(names).size, names.length);
  });

  it("stays a valid object name for a long group", () => {
    const name = sessionNameOf("default", `${"a".repeat(39)}-${"b".repeat(20)}`, key).slice("default/".length);
    assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    assert.ok(name.length <= 53);
  });
});
