import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Condition, mergePatchOf, withCondition } from "./conditions.ts";

const early = Date.UTC(2030, 0, 1);
const late = Date.UTC(2031, 0, 1);
const ready: Omit<Condition, "lastTransitionTime"> = {
  ...{ type: "Ready", status: "True", reason: "AllWell", message: "All is well.", observedGeneration: 1 },
};

describe("conditions", () => {
  it("keep their place, one per type", () => {
    const first = withCondition(withCondition([], ready, early), { ...ready, type: "Other" }, early);
    const second = withCondition(first, { ...ready, status: "False", reason: "Broken" }, late);
    assert.deepEqual(
      second.map(({ type, status }) => `${type} ${status}`),
      ["Ready False", "Other True"],
    );
  });

  it("change their time together with the status only", () => {
    const [old] = withCondition([], ready, early);
    assert.ok(old);
    assert.equal(old.lastTransitionTime, "2030-01-01T00:00:00Z");
    const [same] = withCondition([old], { ...ready, message: "All is still well.", observedGeneration: 2 }, late);
    assert.equal(same?.lastTransitionTime, "2030-01-01T00:00:00Z");
    assert.deepEqual([same?.message, same?.observedGeneration], ["All is still well.", 2]);
    const [other] = withCondition([old], { ...ready, status: "False" }, late);
    assert.equal(other?.lastTransitionTime, "2031-01-01T00:00:00Z");
  });

  it("leave nothing to write when they say the same again", () => {
    const before = { conditions: withCondition([], ready, early) };
    assert.equal(mergePatchOf(before, { conditions: withCondition(before.conditions, ready, late) }), undefined);
  });
});

/** RFC 7386, as the API server does it. */
function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result = new Map<string, unknown>(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, applyMergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

describe("a merge patch", () => {
  it("names what changed, with null for what is gone, and lists as a whole", () => {
    const before = { phase: "Asleep", podName: "a-1", counts: { in: 1, out: 2 }, list: [1, 2] };
    const after = { phase: "Awake", counts: { in: 1, out: 3 }, list: [1], epoch: 4 };
    assert.deepEqual(mergePatchOf(before, after), {
      ...{ phase: "Awake", podName: null, counts: { out: 3 }, list: [1], epoch: 4 },
    });
  });

  it("is nothing for what is equal, whatever the order of the names", () => {
    assert.equal(mergePatchOf({ a: 1, b: { c: [1], d: null } }, { b: { c: [1] }, a: 1, e: undefined }), undefined);
    assert.equal(mergePatchOf({ list: [{ a: 1 }] }, { list: [{ a: 1, b: undefined }] }), undefined);
  });

  it("makes the one out of the other, and nothing out of the same", () => {
    const name = fc.constantFrom("a", "b", "c");
    const { tree } = fc.letrec<{ tree: Record<string, unknown> }>((tie) => ({
      tree: fc.dictionary(
        name,
        fc.oneof(
          { depthSize: "small" },
          fc.integer(),
          fc.string(),
          fc.array(fc.integer(), { maxLength: 3 }),
          tie("tree"),
        ),
        { noNullPrototype: true },
      ),
    }));
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const patch = mergePatchOf(before, after);
        assert.deepEqual(patch ? applyMergePatch(before, patch) : before, after);
        assert.equal(mergePatchOf(after, structuredClone(after)), undefined);
      }),
      { numRuns: 500 },
    );
  });
});
