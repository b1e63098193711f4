import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "../testing/clock.ts";
import { WorkQueue } from "./work-queue.ts";

const start = () => {
  const clock = new TestClock();
  return { clock, queue: new WorkQueue({ clock }) };
};

describe("the work queue", () => {
  it("hands keys out in the order they came, each once however often it was added", async () => {
    const { queue } = start();
    for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ["a", "b", "c"]);
    assert.equal(queue.figures().depth, 0);
  });

  it("gives a key that is added while a worker has it to nobody else, and again after it is done", async () => {
    const { queue } = start();
    queue.add("a");
    assert.equal(await queue.take(), "a");
    queue.add("a");
    queue.add("a");
    const next = queue.take();
    queue.add("b");
    assert.equal(await next, "b");
    const again = queue.take();
    queue.done("a");
    assert.equal(await again, "a");
    queue.done("a");
    assert.equal(queue.figures().depth, 0);
  });

  it("takes a delay that is no number for none, and lets no other key suffer from it", async () => {
    const { clock, queue } = start();
    queue.addAfter("later", 1_000);
    queue.addAfter("bad", Number.NaN);
    assert.equal(await queue.take(), "bad");
    clock.pass(1_000);
    assert.equal(await queue.take(), "later");
  });

  it("wakes workers that wait, in their turn", async () => {
    const { queue } = start();
    const both = Promise.all([queue.take(), queue.take()]);
    queue.add("a");
    queue.add("b");
    assert.deepEqual(await both, ["a", "b"]);
  });

  it("adds a key later, and at once for a time that has passed", async () => {
    const { clock, queue } = start();
    queue.addAfter("later", 1_000);
    queue.addAfter("now", 0);
    assert.equal(await queue.take(), "now");
    assert.equal(queue.figures().depth, 0);
    clock.pass(1_000);
    assert.equal(await queue.take(), "later");
  });

  it("brings a failed key back after its back-off, and no sooner than the server asked for", () => {
    const { queue } = start();
    assert.equal(queue.retry("a"), 5);
    assert.equal(queue.retry("a"), 10);
    assert.equal(queue.failures("a"), 2);
    assert.equal(queue.retry("a", 3_000), 3_000);
    queue.forget("a");
    assert.equal(queue.retry("a"), 5);
  });

  it("drops what waits when it is shut down, and waits for what is under way", async () => {
    const { clock, queue } = start();
    queue.add("running");
    assert.equal(await queue.take(), "running");
    queue.add("waiting");
    queue.addAfter("later", 10);
    let drained = false;
    const end = queue.shutDown().then(() => {
      drained = true;
    });
    queue.add("too late");
    queue.add("running");
    clock.pass(1_000);
    assert.equal(await queue.take(), undefined);
    assert.equal(drained, false);
    assert.equal(clock.timers, 0);
    queue.done("running");
    await end;
    assert.equal(await queue.take(), undefined);
  });

  it("ends the wait of idle workers when it is shut down", async () => {
    const { queue } = start();
    const idle = queue.take();
    await queue.shutDown();
    assert.equal(await idle, undefined);
  });

  it("tells how long keys waited and were worked on", async () => {
    const clock = new TestClock();
    const told: string[] = [];
    const queue = new WorkQueue({
      clock,
      observer: {
        follow: () => told.push("follow"),
        added: () => told.push("added"),
        retried: () => told.push("retried"),
        started: (ms) => told.push(`started after ${ms}`),
        finished: (ms) => told.push(`finished after ${ms}`),
      },
    });
    queue.add("a");
    queue.add("a");
    clock.pass(40);
    await queue.take();
    clock.pass(200);
    assert.deepEqual(queue.figures(), { depth: 0, unfinishedMs: 200, longestMs: 200 });
    queue.retry("a");
    queue.done("a");
    assert.deepEqual(told, ["follow", "added", "started after 40", "retried", "finished after 200"]);
  });

  it("takes many keys in and out without slowing down by those that are gone", async () => {
    const { queue } = start();
    const keys = Array.from({ length: 5_000 }, (_, at) => `key-${at}`);
    for (const key of keys) queue.add(key);
    const taken: (string | undefined)[] = [];
    for (const _ of keys) taken.push(await queue.take());
    assert.deepEqual(taken, keys);
    for (const key of keys) queue.add(key);
    for (const key of keys) queue.done(key);
    assert.equal(queue.figures().depth, keys.length);
  });
});
