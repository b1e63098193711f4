import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { durationMs, durationSchema } from "./duration.ts";

describe("a duration", () => {
  for (const [text, ms] of [
    ["1s", 1_000],
    ["90s", 90_000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["2h0m5s", 7_205_000],
  ] as const) {
    it(`of ${text} is ${ms} ms`, () => assert.equal(durationMs(durationSchema.parse(text)), ms));
  }
});
