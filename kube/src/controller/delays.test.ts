import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TestClock } from "../testing/clock.ts";
import { Delays } from "./delays.ts";

function start() {
  const clock = new TestClock();
  const rung: string[] = [];
  const delays = new Delays(clock, (key) => rung.push(`${key}@${clock.monotonic()}`));
  return { clock, rung, delays };
}

describe("delays", () => {
  it("ring each key at its time, in order of the times", () => {
    const { clock, rung, delays } = start();
    delays.add("late", 300);
    delays.add("early", 100);
    delays.add("middle", 200);
    clock.pass(1_000);
    assert.deepEqual(rung, ["early@100", "middle@200", "late@300"]);
  });

  it("keep the earlier of two times for one key", () => {
    const { clock, rung, delays } = start();
    delays.add("a", 100);
    delays.add("a", 300);
    delays.add("b", 300);
    delays.add("b", 100);
    clock.pass(1_000);
    assert.deepEqual(rung, ["a@100", "b@100"]);
  });

  it("hold one timer per key, however often its time changes, and none when nothing waits", () => {
    const { clock, rung, delays } = start();
    for (let ms = 100; ms > 0; ms--) delays.add("a", ms);
    assert.equal(clock.timers, 1);
    clock.pass(1_000);
    assert.deepEqual([rung, clock.timers], [["a@1"], 0]);
    delays.add("again", 10);
    delays.clear();
    assert.equal(clock.timers, 0);
  });

  it("wait on when a timer rings too early, as one does that was cut to the longest there is", () => {
    const clock = new TestClock();
    const longestMs = 1_000;
    const cut = {
      now: clock.now,
      monotonic: clock.monotonic,
      after: (ms: number, act: () => void) => clock.after(Math.min(ms, longestMs), act),
    };
    const rung: number[] = [];
    new Delays(cut, () => rung.push(clock.monotonic())).add("far", 3_500);
    clock.pass(10_000);
    assert.deepEqual(rung, [3_500]);
  });

  it("ring every key once, whatever the times", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 500 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (adds) => {
        const { clock, rung, delays } = start();
        const wanted = new Map<string, number>();
        for (const [key, ms] of adds) {
          delays.add(`k${key}`, ms);
          wanted.set(`k${key}`, Math.min(ms, wanted.get(`k${key}`) ?? ms));
        }
        clock.pass(1_000);
        assert.deepEqual(rung.toSorted(), [...wanted].map(([key, ms]) => `${key}@${ms}`).toSorted());
        const times = rung.map((line) => Number(line.split("@")[1]));
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
      }),
    );
  });
});
