import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mergePatchOf } from "./merge-patch.ts";

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
