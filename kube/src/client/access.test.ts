import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "../testing/clock.ts";
import { Access, type Connection } from "./access.ts";
import { identityAgeMs, identityTimeoutMs } from "./limits.ts";

const connection = (token: string, ca = "ca"): Connection => ({
  endpoint: { server: "https://api", ca },
  headers: { authorization: token },
});

describe("an identity", () => {
  it("is read once for all who ask at the same time, and again when it may be old", async () => {
    const { access, clock, reads } = make([connection("a"), connection("b")]);
    const first = await Promise.all([access.current(), access.current()]);
    assert.deepEqual(first, [connection("a"), connection("a")]);
    clock.pass(identityAgeMs - 1);
    assert.equal(await access.current(), first[0]);
    assert.equal(reads.length, 1);
    clock.pass(1);
    assert.deepEqual(await access.current(), connection("b"));
  });

  it("stays the same object while it says the same, and its endpoint while only the token changes", async () => {
    const { access, clock } = make([connection("a"), connection("a"), connection("b"), connection("b", "other")]);
    const first = await access.current();
    clock.pass(identityAgeMs);
    assert.equal(await access.current(), first);
    clock.pass(identityAgeMs);
    const second = await access.current();
    assert.notEqual(second, first);
    assert.equal(second.endpoint, first.endpoint);
    clock.pass(identityAgeMs);
    assert.notEqual((await access.current()).endpoint, first.endpoint);
  });

  it("is read anew at once when it was refused, however many were refused with it", async () => {
    const { access, reads } = make([connection("a"), connection("b")]);
    const first = await access.current();
    access.refuse(first);
    access.refuse(first);
    assert.deepEqual(await access.current(), connection("b"));
    access.refuse(first);
    assert.deepEqual(await access.current(), connection("b"));
    assert.deepEqual(reads, [false, true]);
  });

  it("goes on as it was while it can't be read, but needs a first one", async () => {
    const { access, clock } = make([
      new Error("no such file"),
      connection("a"),
      new Error("half written"),
      connection("b"),
    ]);
    await assert.rejects(access.current(), {
      code: "clusterUnavailable",
      message: "can't read how to reach the Kubernetes API server: no such file",
    });
    assert.deepEqual(await access.current(), connection("a"));
    clock.pass(identityAgeMs);
    assert.deepEqual(await access.current(), connection("a"));
    clock.pass(identityAgeMs);
    assert.deepEqual(await access.current(), connection("b"));
  });

  it("is given up when its reading hangs, and read anew by who asks next", async () => {
    const clock = new TestClock();
    const signals: (AbortSignal | undefined)[] = [];
    const access = new Access(async (_, signal) => {
      signals.push(signal);
      return signals.length === 2 ? connection("a") : await new Promise(() => {});
    }, clock);
    const hung = assert.rejects(access.current(), {
      code: "clusterUnavailable",
      message: `read how to reach the Kubernetes API server: not done within ${identityTimeoutMs} ms`,
    });
    clock.pass(identityTimeoutMs);
    await hung;
    assert.equal(signals[0]?.aborted, true);
    assert.deepEqual(await access.current(), connection("a"));
    assert.equal(clock.timers, 0);
    clock.pass(identityAgeMs);
    const kept = access.current();
    clock.pass(identityTimeoutMs);
    assert.deepEqual(await kept, connection("a"));
  });

  it("is not read on for a client that is closed", async () => {
    const access = new Access(() => new Promise(() => {}), new TestClock());
    const reading = assert.rejects(access.current(), /closed/);
    access.end(new Error("closed"));
    await reading;
  });
});

/** @param results of the reads, in their order */
function make(results: readonly (Connection | Error)[]) {
  const clock = new TestClock();
  const reads: boolean[] = [];
  const access = new Access(async (anew) => {
    const result = results[reads.length];
    reads.push(anew);
    if (result === undefined || result instanceof Error) throw result;
    return result;
  }, clock);
  return { access, clock, reads };
}
