import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addFinalizer, removeFinalizer } from "./finalizers.ts";
import { makeObject } from "./testing/objects.ts";

const ours = "example.dev/volume";
const theirs = "other.dev/thing";

describe("a finalizer", () => {
  it("is added behind those of others, once", () => {
    assert.deepEqual(addFinalizer(makeObject("a"), ours), { metadata: { finalizers: [ours] } });
    const held = makeObject("a", { finalizers: [theirs] });
    assert.deepEqual(addFinalizer(held, ours), { metadata: { finalizers: [theirs, ours] } });
    assert.equal(addFinalizer(makeObject("a", { finalizers: [ours] }), ours), undefined);
  });

  it("is not added to what is being deleted, which the API server would refuse", () => {
    const dying = makeObject("a", { finalizers: [theirs], deletionTimestamp: "2030-01-01T00:00:00Z" });
    assert.equal(addFinalizer(dying, ours), undefined);
  });

  it("is removed without those of others", () => {
    const dying = makeObject("a", { finalizers: [theirs, ours], deletionTimestamp: "2030-01-01T00:00:00Z" });
    assert.deepEqual(removeFinalizer(dying, ours), { metadata: { finalizers: [theirs] } });
    assert.equal(removeFinalizer(makeObject("a", { finalizers: [theirs] }), ours), undefined);
    assert.equal(removeFinalizer(makeObject("a"), ours), undefined);
  });
});
