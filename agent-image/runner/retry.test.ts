import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reconnectBackoff } from "@copepod/core/backoff";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import { pino } from "pino";
import { createRetry } from "./retry.ts";
import { FakeTime } from "./testing/fake-time.ts";

function setup(answers: (ErrorCode | Error | "ok")[]) {
  const time = new FakeTime();
  const retry = createRetry({ time, random: () => 0.999, log: pino({ level: "silent" }) });
  let calls = 0;
  const call = async (): Promise<string> => {
    const answer = answers[Math.min(calls++, answers.length - 1)];
    if (answer === "ok" || answer === undefined) return "answer";
    throw answer instanceof Error ? answer : new CopepodError(answer, "said by the test");
  };
  return { time, retry, call, calls: () => calls };
}

const never = new AbortController().signal;

describe("a repeated call", () => {
  it("goes on through outages until it is answered", async () => {
    const outages: ErrorCode[] = ["unavailable", "podUnknown", "diskFull", "rateLimited", "groupMissing"];
    const { time, retry, call, calls } = setup([...outages, "ok"]);
    const answer = retry("take", never, call);
    await time.advance(60_000);
    assert.equal(await answer, "answer");
    assert.equal(calls(), 6);
  });

  it("waits longer each time, up to a bound, for as long as it takes", async () => {
    const { time, retry, call, calls } = setup([...Array<ErrorCode>(500).fill("unavailable"), "ok"]);
    const answer = retry("take", never, call);
    await time.advance(1_000);
    assert.ok(calls() <= 9, `${calls()} calls in the first second`);
    await time.advance(500 * reconnectBackoff.maxMs);
    assert.equal(await answer, "answer");
  });

  it("ends with an answer that stays", async () => {
    for (const code of [
      "superseded",
      "unauthorized",
      "invalid",
      "conflict",
      "destinationUnknown",
    ] satisfies ErrorCode[]) {
      const { retry, call, calls } = setup([code]);
      await assert.rejects(retry("finish", never, call), { code });
      assert.equal(calls(), 1);
    }
  });

  it("tries a fault a few times only", async () => {
    const { time, retry, call, calls } = setup([new Error("not the shape that was agreed")]);
    const answer = assert.rejects(retry("finish", never, call), /not the shape/);
    await time.advance(60_000);
    await answer;
    assert.equal(calls(), 6);
  });

  it("ends with the signal, also while it waits", async () => {
    const { time, retry, call } = setup(["unavailable"]);
    const ending = new AbortController();
    const answer = assert.rejects(retry("take", ending.signal, call), (reason) => reason === "over");
    await time.advance(0);
    ending.abort("over");
    await answer;
  });
});
