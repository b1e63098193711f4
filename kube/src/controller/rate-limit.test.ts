import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "../testing/clock.ts";
import { RateLimiter } from "./rate-limit.ts";

const start = () => {
  const clock = new TestClock();
  return { clock, limiter: new RateLimiter(clock.monotonic) };
};

describe("the rate limit of retries", () => {
  it("doubles the wait of a key from 5 ms up to five minutes", () => {
    const { clock, limiter } = start();
    const waits = Array.from({ length: 40 }, () => {
      clock.pass(60_000);
      return limiter.waitOf("a");
    });
    assert.deepEqual(waits.slice(0, 5), [5, 10, 20, 40, 80]);
    assert.deepEqual(waits.slice(16, 18), [300_000, 300_000]);
    assert.equal(waits.at(-1), 300_000);
  });

  it("begins anew for a key that went well, and keeps keys apart", () => {
    const { limiter } = start();
    limiter.waitOf("a");
    limiter.waitOf("a");
    assert.equal(limiter.failures("a"), 2);
    limiter.forget("a");
    assert.equal(limiter.failures("a"), 0);
    assert.equal(limiter.waitOf("a"), 5);
    assert.equal(limiter.waitOf("b"), 5);
  });

  it("lets ten retries a second through for all keys together once the burst is used up", () => {
    const { clock, limiter } = start();
    const waits = Array.from({ length: 120 }, (_, at) => limiter.waitOf(`key-${at}`));
    assert.equal(waits[99], 5);
    assert.equal(waits[101], 200);
    assert.equal(waits[119], 2_000);
    clock.pass(2_500);
    assert.equal(limiter.waitOf("later"), 5);
  });

  it("fills the bucket up to the burst only", () => {
    const { clock, limiter } = start();
    clock.pass(24 * 60 * 60_000);
    const waits = Array.from({ length: 102 }, (_, at) => limiter.waitOf(`key-${at}`));
    assert.equal(waits[99], 5);
    assert.equal(waits[101], 200);
  });
});
