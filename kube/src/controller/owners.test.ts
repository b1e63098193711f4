import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ObjectMeta, Resource } from "../object.ts";
import { controllingOwner, isControlledBy, ownerKey } from "./owners.ts";
import { makeObject } from "./testing/objects.ts";

const things: Resource = { group: "example.dev", version: "v1", kind: "Thing", plural: "things", namespaced: true };
const ownedBy = (name: string, more: object = {}): ObjectMeta => ({
  ownerReferences: [{ ...controllingOwner(things, makeObject(name)), ...more }],
});

describe("an owner", () => {
  it("is found by its children when it controls them and is of the kind, in any version", () => {
    const keysOf = ownerKey(things);
    assert.deepEqual(keysOf(makeObject("c", ownedBy("o", { apiVersion: "example.dev/v2" }))), ["ns/o"]);
    assert.deepEqual(keysOf(makeObject("c", ownedBy("o", { apiVersion: "other.dev/v1" }))), []);
    assert.deepEqual(keysOf(makeObject("c", ownedBy("o", { controller: false }))), []);
    assert.deepEqual(keysOf(makeObject("c", ownedBy("o", { kind: "Other" }))), []);
    assert.deepEqual(keysOf(makeObject("c")), []);
    const core = { ...things, group: "", kind: "ConfigMap" };
    assert.deepEqual(ownerKey(core)(makeObject("c", ownedBy("o", { apiVersion: "v1", kind: "ConfigMap" }))), ["ns/o"]);
    assert.deepEqual(ownerKey({ ...things, namespaced: false })(makeObject("c", ownedBy("o"))), ["o"]);
  });

  it("knows its children by its own UID: one before it had the same name", () => {
    const owner = makeObject("o");
    assert.ok(isControlledBy(makeObject("c", ownedBy("o")), owner));
    assert.ok(!isControlledBy(makeObject("c", ownedBy("o", { uid: "an earlier one" })), owner));
    assert.ok(!isControlledBy(makeObject("c", ownedBy("o", { controller: false })), owner));
    assert.ok(!isControlledBy(makeObject("c"), owner));
  });
});
