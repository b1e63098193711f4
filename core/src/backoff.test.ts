import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backoffMs } from "./backoff.ts";

const policy = { firstMs: 100, maxMs: 1_000 };

describe("the back-off", () => {
  it("doubles up to its maximum, half of it drawn", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 400].map((attempt) => backoffMs(policy, attempt, 1)),
      [100, 200, 400, 800, 1_000, 1_000],
    );
    assert.deepEqual([backoffMs(policy, 1, 0), backoffMs(policy, 1, 0.5)], [50, 75]);
  });
});
