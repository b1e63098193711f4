import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderFactory } from "../providers/provider.ts";
import { FakeTime } from "./testing/fake-time.ts";
import { block, withScripts } from "./testing/runner-in-process.ts";
import { answering, scriptedProvider } from "./testing/scripted-provider.ts";
import { ownWorkMs } from "./turn.ts";

/** The first provider is made when the test says so; the others at once. */
function slowToMake(factory: ProviderFactory) {
  const asked = Promise.withResolvers<void>();
  const made = Promise.withResolvers<void>();
  let calls = 0;
  const slow: ProviderFactory = async (deps) => {
    calls++;
    if (calls > 1) return await factory(deps);
    asked.resolve();
    await made.promise;
    return await factory(deps);
  };
  return { load: async () => slow, asked: asked.promise, finish: () => made.resolve(), calls: () => calls };
}

describe("a turn whose provider is not made", { timeout: 20_000 }, () => {
  it("can be stopped, and leaves the provider to the next turn", async () => {
    const { runner, router, provider } = await withScripts(answering(block("hi")));
    await using _ = runner;
    const slow = slowToMake(provider.factory);
    router.say("one");
    void runner.start(slow.load);
    await slow.asked;
    await router.until(() => router.activities.some(({ state }) => state === "thinking"));
    router.stopTurn(1);
    await router.until(() => router.finished.length === 1);
    assert.equal(router.finished[0]?.cancelled, true);
    slow.finish();
    router.say("two");
    await router.until(() => router.finished.length === 2);
    assert.deepEqual(router.finished[1]?.messages, [{ to: "family", text: "hi" }]);
    assert.equal(slow.calls(), 1);
    assert.equal(provider.inputs.length, 1);
  });

  it("fails after a time, and is repeated with a new one; the late one is closed and starts nothing", async () => {
    const { runner, router, provider } = await withScripts(answering(block("hi")));
    await using _ = runner;
    const late = scriptedProvider("demo", answering(block("too late")));
    const slow = slowToMake(late.factory);
    let loads = 0;
    const load = async () => {
      loads++;
      return loads === 1 ? await slow.load() : provider.factory;
    };
    const time = new FakeTime();
    router.say("one");
    void runner.start(load, time);
    await slow.asked;
    while (router.failed.length === 0) await time.advance(ownWorkMs / 60);
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.failed, [
      { rows: [1], class: "transient", message: "the start of the provider took longer than 60 s" },
    ]);
    assert.deepEqual(router.finished[0]?.messages, [{ to: "family", text: "hi" }]);
    slow.finish();
    while (late.closed() === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(late.inputs.length, 0);
    assert.equal(provider.closed(), 0);
  });

  it("does not keep a runner from ending", async () => {
    const { runner, router, provider } = await withScripts(answering(block("hi")));
    await using _ = runner;
    const slow = slowToMake(provider.factory);
    router.say("one");
    const ended = runner.start(slow.load);
    await slow.asked;
    runner.life.end("parent is gone");
    await ended;
    slow.finish();
    while (provider.closed() === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(provider.inputs.length, 0);
  });
});
