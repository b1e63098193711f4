import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "./random.ts";

const draw = (seed: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: 1_000 }, () => random.between(3, 7));
};

describe("seeded random numbers", () => {
  it("are the same for the same seed, and others for another", () => {
    assert.deepEqual(draw(7), draw(7));
    assert.notDeepEqual(draw(7), draw(8));
  });

  it("reach both ends of a range, and nothing beyond", () => {
    assert.deepEqual([...new Set(draw(7))].sort(), [3, 4, 5, 6, 7]);
  });
});
