import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideRestart, describeExit, type Exit } from "./restart.ts";

const crashed: Exit = { code: 1, signal: null, lastWords: "Error: no" };
const killed: Exit = { code: null, signal: "SIGKILL", lastWords: undefined };

describe("the restart of a process", () => {
  it("counts a start that failed, and waits longer each time", () => {
    const first = decideRestart({ exit: crashed, livedMs: 100, failures: 0, random: 0.5 });
    const third = decideRestart({ exit: crashed, livedMs: 100, failures: 2, random: 0.5 });
    assert.equal(first.failures, 1);
    assert.equal(third.failures, 3);
    assert.ok(third.delayMs > first.delayMs);
  });

  it("forgets failures when the process had lived a while", () => {
    assert.equal(decideRestart({ exit: crashed, livedMs: 10_000, failures: 4, random: 0 }).failures, 0);
  });

  it("does not count a process that was killed from outside", () => {
    assert.equal(decideRestart({ exit: killed, livedMs: 5, failures: 4, random: 0 }).failures, 0);
  });

  it("counts a crash in native code", () => {
    const exit: Exit = { code: null, signal: "SIGSEGV", lastWords: undefined };
    assert.equal(decideRestart({ exit, livedMs: 5, failures: 4, random: 0 }).failures, 5);
  });

  it("says how a process ended, with its last words", () => {
    assert.equal(describeExit(crashed), "ended with exit code 1: Error: no");
    assert.equal(describeExit(killed), "ended by SIGKILL");
    const stillborn: Exit = { code: null, signal: null, lastWords: "ENOSPC" };
    assert.equal(describeExit(stillborn), "could not be started: ENOSPC");
  });
});
