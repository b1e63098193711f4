import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Doorbell, longPoll } from "./doorbell.ts";

const long = 60_000;
const monotonic = () => performance.now();

describe("the doorbell", () => {
  it("wakes whoever waits on the key, and nobody else", async () => {
    const doorbell = new Doorbell();
    using mine = doorbell.listen("a");
    using other = doorbell.listen("b");
    const waiting = mine.wait(long, undefined);
    doorbell.ring("a");
    await waiting;
    const stop = new AbortController();
    let woken = false;
    const otherWaiting = other.wait(long, stop.signal).then(() => (woken = true));
    await Promise.resolve();
    assert.equal(woken, false);
    stop.abort();
    await otherWaiting;
  });

  it("does not miss a ring between listening and waiting", async () => {
    const doorbell = new Doorbell();
    using listening = doorbell.listen("a");
    doorbell.ring("a");
    await listening.wait(long, undefined);
  });
});

describe("a long poll", () => {
  it("answers at once when there is something", async () => {
    const look = async () => ({ value: "row", ready: true });
    const poll = {
      doorbell: new Doorbell(),
      keys: ["a"],
      waitMs: long,
      signal: new AbortController().signal,
      monotonic,
    };
    assert.equal(await longPoll({ ...poll, look }), "row");
  });

  it("looks again at each ring until there is something", async () => {
    const doorbell = new Doorbell();
    let looks = 0;
    const poll = longPoll({
      doorbell,
      keys: ["a"],
      waitMs: long,
      signal: new AbortController().signal,
      monotonic,
      look: async () => {
        looks += 1;
        setImmediate(() => doorbell.ring("a"));
        return { value: looks, ready: looks === 3 };
      },
    });
    assert.equal(await poll, 3);
  });

  it("looks again when a row becomes due, without a ring", async () => {
    let looks = 0;
    const value = await longPoll({
      doorbell: new Doorbell(),
      keys: ["a"],
      waitMs: long,
      signal: new AbortController().signal,
      monotonic,
      look: async () => ({ value: ++looks, ready: looks === 2, nextInMs: 1 }),
    });
    assert.equal(value, 2);
  });

  it("ends with nothing when the client has gone", async () => {
    const gone = new AbortController();
    const look = async () => {
      setImmediate(() => gone.abort());
      return { value: "nothing", ready: false };
    };
    const poll = { doorbell: new Doorbell(), keys: ["a"], waitMs: long, signal: gone.signal, monotonic };
    assert.equal(await longPoll({ ...poll, look }), "nothing");
  });
});
