import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { untilAsked, untilEnded, untilOrphaned } from "./lifetime.ts";

describe("a child", () => {
  it("is asked to end by a signal", () => {
    const signals = new EventEmitter();
    const ended = untilEnded(signals, undefined);
    signals.emit("SIGTERM");
    assert.equal(ended.reason, "SIGTERM");
  });

  it("is asked to end by a line on the pipe, also one that comes in pieces, and then still hears that its parent is gone", async () => {
    const pipe = new PassThrough();
    const [asked, orphaned] = [untilAsked(undefined, pipe), untilOrphaned(pipe)];
    pipe.write("e");
    pipe.write("nd");
    await setImmediate();
    assert.equal(asked.aborted, false);
    pipe.write("\n");
    await setImmediate();
    assert.equal(asked.reason, "asked");
    assert.equal(orphaned.aborted, false);
    pipe.end();
    await setImmediate();
    assert.equal(orphaned.reason, "parent is gone");
  });

  it("ends when the pipe closes", async () => {
    const pipe = new PassThrough();
    const ended = untilEnded(undefined, pipe);
    pipe.end();
    await setImmediate();
    assert.equal(ended.reason, "parent is gone");
  });
});
