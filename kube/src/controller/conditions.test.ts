import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Condition, withCondition } from "./conditions.ts";
import { mergePatchOf } from "./merge-patch.ts";

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
