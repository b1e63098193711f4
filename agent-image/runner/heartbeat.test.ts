import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import { heartbeatMs } from "@copepod/core/limits";
import type { Activity } from "@copepod/core/messages";
import { pino } from "pino";
import { createHeartbeat } from "./heartbeat.ts";
import { Life } from "./life.ts";
import { FakeTime, settle } from "./testing/fake-time.ts";

function setup(answer: () => { drain: boolean } = () => ({ drain: false })) {
  const time = new FakeTime();
  const life = new Life();
  const beats: Activity[] = [];
  const mailbox = {
    heartbeat: async ({ activity }: { activity: Activity }) => {
      beats.push(activity);
      return answer();
    },
  };
  const heartbeat = createHeartbeat({ mailbox, instance: "instance", life, time, log: pino({ level: "silent" }) });
  const over = new AbortController();
  const running = heartbeat.run(over.signal);
  const stop = async (): Promise<void> => {
    over.abort();
    await running;
  };
  return { time, life, beats, heartbeat, [Symbol.asyncDispose]: stop };
}

describe("a heartbeat", () => {
  it("beats on its own timer", async () => {
    await using t = setup();
    await settle();
    await t.time.advance(3 * heartbeatMs);
    assert.equal(t.beats.length, 4);
  });

  it("tells a change at once, and many changes together", async () => {
    await using t = setup();
    await t.time.advance(1_000);
    t.heartbeat.activity({ state: "thinking" });
    await settle();
    assert.deepEqual(t.beats.at(-1), { state: "thinking" });
    for (let index = 0; index < 50; index++) t.heartbeat.activity({ state: "tool", tool: `tool-${index}` });
    await t.time.advance(1_000);
    assert.equal(t.beats.length, 3);
    assert.deepEqual(t.beats.at(-1), { state: "tool", tool: "tool-49" });
  });

  it("goes on when nobody answers", async () => {
    await using t = setup(() => {
      throw new CopepodError("unavailable", "down");
    });
    await t.time.advance(2 * heartbeatMs);
    assert.equal(t.beats.length, 3);
    assert.equal(t.life.ended.aborted, false);
  });

  it("ends the runner when the session is no longer its own, and drains it when told so", async () => {
    for (const code of ["superseded", "unauthorized"] satisfies ErrorCode[]) {
      await using t = setup(() => {
        throw new CopepodError(code, "no");
      });
      await settle();
      assert.equal(t.life.ended.reason, code);
    }
    await using t = setup(() => ({ drain: true }));
    await settle();
    assert.equal(t.life.draining.aborted, true);
    assert.equal(t.life.ended.aborted, false);
  });
});
