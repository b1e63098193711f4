import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "./testing/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

describe("a bucket of tokens", () => {
  it("lets a burst through at once and the rest at its rate", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, new TestClock().monotonic);
    const waits = [1, 2, 3, 4, 5].map(() => bucket.take());
    assert.deepEqual(waits, [0, 0, 0, 100, 200]);
  });

  it("saves no more than a burst while nothing is asked of it", () => {
    const clock = new TestClock();
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, clock.monotonic);
    clock.pass(60_000);
    assert.deepEqual([bucket.take(), bucket.take(), bucket.take()], [0, 0, 100]);
  });

  it("gets back the token of who gives up, so that the next waits no longer for it", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, new TestClock().monotonic);
    const waits = [bucket.take(), bucket.take()];
    bucket.giveBack();
    assert.deepEqual([...waits, bucket.take()], [0, 100, 100]);
  });
});
