import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "../testing/clock.ts";
import { RateLimit } from "./rate.ts";

const ever = new AbortController().signal;

describe("the rate limit", () => {
  it("lets a burst through at once and the rest at its rate, in the order of coming", async () => {
    const clock = new TestClock();
    const limit = new RateLimit({ perSecond: 10, burst: 3 }, clock);
    const order: number[] = [];
    const taken = [1, 2, 3, 4, 5].map(async (caller) => {
      const waitedMs = await limit.take(ever);
      order.push(caller);
      return waitedMs;
    });
    assert.deepEqual(await clock.run(Promise.all(taken)), [0, 0, 0, 100, 200]);
    assert.deepEqual(order, [1, 2, 3, 4, 5]);
  });

  it("saves no more than a burst while nothing is asked of it", async () => {
    const clock = new TestClock();
    const limit = new RateLimit({ perSecond: 10, burst: 2 }, clock);
    clock.pass(60_000);
    const taken = [limit.take(ever), limit.take(ever), limit.take(ever)];
    assert.deepEqual(await clock.run(Promise.all(taken)), [0, 0, 100]);
  });

  it("gets the token back of who gives up, so that the next waits no longer for it", async () => {
    const clock = new TestClock();
    const limit = new RateLimit({ perSecond: 10, burst: 1 }, clock);
    await limit.take(ever);
    const given = new AbortController();
    const waiting = limit.take(given.signal);
    given.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.equal(await clock.run(limit.take(ever)), 100);
  });
});
