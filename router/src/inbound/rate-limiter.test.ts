import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RateLimiter } from "./rate-limiter.ts";
import { Reminders } from "./reminders.ts";

describe("the rate limiter", () => {
  it("admits a minute's worth at once, then the rate", () => {
    let now = 0;
    const limiter = new RateLimiter(() => now);
    const burst = Array.from({ length: 4 }, () => limiter.admit("ann", 3));
    assert.deepEqual(burst, [true, true, true, false]);
    now += 20_000;
    assert.deepEqual([limiter.admit("ann", 3), limiter.admit("ann", 3)], [true, false]);
  });

  it("gives back what a message took that was not written", () => {
    const limiter = new RateLimiter(() => 0);
    assert.deepEqual([limiter.admit("ann", 1), limiter.admit("ann", 1)], [true, false]);
    limiter.giveBack("ann");
    assert.equal(limiter.admit("ann", 1), true);
  });

  it("counts each sender alone", () => {
    const limiter = new RateLimiter(() => 0);
    assert.deepEqual([limiter.admit("ann", 1), limiter.admit("ann", 1), limiter.admit("bob", 1)], [true, false, true]);
  });
});

describe("reminders", () => {
  it("are due once an hour for each subject", () => {
    let now = 0;
    const reminders = new Reminders(() => now);
    assert.deepEqual([reminders.due("a"), reminders.due("a"), reminders.due("b")], [true, false, true]);
    now += 60 * 60_000;
    assert.equal(reminders.due("a"), true);
    reminders.takeBack("a");
    assert.equal(reminders.due("a"), true);
  });
});
