import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waking } from "./decide.ts";
import { asSentence, readStatus, statusPatch } from "./status.ts";

const now = Date.UTC(2030, 0, 1);
const wanted = waking(5, { name: "helper-1-5", uid: "pod-uid" });
const patchOf = (status: object, generation = 3) => statusPatch(readStatus(status), wanted, { now, generation });

const condition = {
  ...{ type: "Ready", status: "False", reason: "Starting", message: "The pod starts." },
  ...{ lastTransitionTime: "2029-01-01T00:00:00Z", observedGeneration: 2 },
};
const same = { phase: "Waking", epoch: 5, podName: "helper-1-5", podUid: "pod-uid", conditions: [condition] };

describe("the operator's part of a Session's status", () => {
  it("is written as a whole, and nothing of the router's", () => {
    assert.deepEqual(patchOf({ pending: 3, reason: "You are next." }), {
      ...same,
      conditions: [{ ...condition, lastTransitionTime: "2030-01-01T00:00:00Z", observedGeneration: 3 }],
    });
  });

  it("is not written when it says all that already, whatever the generation is", () => {
    assert.equal(patchOf(same), undefined);
    assert.equal(patchOf({ ...same, pending: 9, lastActiveAt: "2030-01-01T00:00:00Z" }), undefined);
  });

  it("takes back what no longer holds", () => {
    assert.deepEqual(patchOf({ ...same, drainRequested: { epoch: 5, reason: "Old." } }), { drainRequested: null });
  });

  it("keeps conditions of others, and the time of a status that stays", () => {
    const other = { ...condition, type: "Other" };
    const patch = patchOf({ ...same, conditions: [other, { ...condition, reason: "Asleep" }] });
    assert.deepEqual(patch, { conditions: [other, { ...condition, observedGeneration: 3 }] });
  });

  it("is written anew where somebody wrote nonsense", () => {
    assert.notEqual(patchOf({ phase: 7, conditions: "none", epoch: "x" }), undefined);
  });
});

describe("a sentence for a status", () => {
  it("has one line, and a bound", () => {
    assert.equal(asSentence("a\nb\tc"), "a b c");
    assert.equal(asSentence("x".repeat(5_000)).length, 1_024);
    assert.ok(asSentence(`${"x".repeat(1_023)}😀`).isWellFormed());
  });
});
