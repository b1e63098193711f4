import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { block, RunnerInProcess, withScripts } from "./testing/runner-in-process.ts";
import { answering, endless, failing, type Script, scriptedProvider } from "./testing/scripted-provider.ts";

describe("a runner", { timeout: 20_000 }, () => {
  it("takes several waiting messages as one turn and finishes them together", async () => {
    const { runner, router, provider, load } = await withScripts(answering(block("hi both")));
    await using _ = runner;
    router.say("one");
    router.say("two");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0], {
      turn: 1,
      consumed: [1, 2],
      messages: [{ to: "family", text: "hi both" }],
      cancelled: false,
      notice: undefined,
    });
    assert.match(provider.inputs[0]?.prompt.text ?? "", /^<context timezone="Europe\/Berlin" \/>\n<messages>\n/);
    assert.match(provider.inputs[0]?.instructions ?? "", /^Answer in blocks\.[\s\S]*# Memory/);
  });

  it("gives a task a turn of its own, between the chats before and behind it", async () => {
    const { runner, router, load } = await withScripts(answering(block("done")));
    await using _ = runner;
    router.say("one");
    router.say("", { kind: "task", body: { prompt: "look around" } });
    router.say("two");
    void runner.start(load);
    await router.until(() => router.finished.length === 3);
    assert.deepEqual(
      router.finished.map(({ consumed }) => consumed),
      [[1], [2], [3]],
    );
  });

  it("takes context rows along with the row that starts a turn, and starts none for them alone", async () => {
    const { runner, router, load } = await withScripts(answering(block("done")));
    await using _ = runner;
    router.say("overheard", { trigger: false });
    void runner.start(load);
    await router.until(() => router.calls.includes("take"));
    assert.equal(router.finished.length, 0);
    router.say("and you?");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0]?.consumed, [1, 2]);
  });

  it("pushes follow-ups into the running turn, and finishes what was consumed", async () => {
    const listening: Script = async function* ({ input, pushed }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      yield { kind: "consumed", seqs: (await pushed()).seqs };
      yield { kind: "result", text: block("both") };
    };
    const { runner, router, provider, load } = await withScripts(listening);
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    router.say("two");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0]?.consumed, [1, 2]);
    assert.match(provider.parts[0]?.text ?? "", /^<message id="2" from="family"/);
  });

  it("starts the next turn with what was pushed but not consumed", async () => {
    const deaf: Script = async function* ({ input, pushed }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await pushed();
      yield { kind: "result", text: block("one") };
    };
    const { runner, router, provider, load } = await withScripts(deaf, answering(block("two")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    router.say("two");
    await router.until(() => router.finished.length === 2);
    assert.deepEqual(
      router.finished.map(({ turn, consumed }) => ({ turn, consumed })),
      [
        { turn: 1, consumed: [1] },
        { turn: 2, consumed: [2] },
      ],
    );
  });

  it("repeats a failed turn, and tells the agent what it has already sent", async () => {
    const sendThenFail: Script = async function* ({ input, tools }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await tools.sendMessage("family", "working on it");
      yield { kind: "failed", class: "transient", message: "overloaded" };
    };
    const { runner, router, provider, load } = await withScripts(sendThenFail, answering(block("working on it")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.failed, [{ rows: [1], class: "transient", message: "overloaded" }]);
    assert.match(provider.inputs[1]?.prompt.text ?? "", /<system>This turn is repeated[\s\S]*working on it<\/system>/);
    assert.deepEqual(router.finished[0]?.messages, []);
    assert.equal(router.finished[0]?.notice, undefined);
  });

  it("ends only what the provider has seen when a retry does not help", async () => {
    const fail: Script = async function* ({ input, pushed }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await pushed();
      yield { kind: "failed", class: "permanent", message: "too long" };
    };
    const { runner, router, provider, load } = await withScripts(fail, answering(block("two")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    router.say("two");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.failed[0]?.rows, [1]);
    assert.equal(router.stateOf(1), "dead");
    assert.deepEqual(router.finished[0]?.consumed, [2]);
  });

  it("gives rows behind a failed turn back with it, so that none overtakes", async () => {
    const fail: Script = async function* ({ input, pushed }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await pushed();
      yield { kind: "failed", class: "rateLimited", message: "slow down", retryAfterMs: 10 };
    };
    const { runner, router, provider, load } = await withScripts(fail, answering(block("ok")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    router.say("two");
    await router.until(() => router.finished.flatMap(({ consumed }) => consumed).length === 2);
    assert.deepEqual(router.failed[0]?.rows, [1, 2]);
    assert.deepEqual(
      router.finished.flatMap(({ consumed }) => consumed),
      [1, 2],
    );
  });

  it("forgets a continuation that the provider has lost", async () => {
    const start: Script = async function* ({ input }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      yield { kind: "continuation", value: "thread-1" };
      yield { kind: "result", text: block("hi") };
    };
    const lost = failing({ class: "transient", message: "no such thread", continuationLost: true });
    const { runner, router, provider, load } = await withScripts(start, lost, answering(block("hi again")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.match(await readFile(join(runner.workspace, ".copepod/continuation-demo.json"), "utf8"), /thread-1/);
    router.say("two");
    await router.until(() => router.finished.length === 2);
    assert.deepEqual(
      provider.inputs.map(({ continuation }) => continuation),
      [undefined, "thread-1", undefined],
    );
  });

  it("cancels the turn that a stop names, and acknowledges the stop", async () => {
    const { runner, router, provider, load } = await withScripts(endless);
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    const id = router.stopTurn(1);
    await router.until(() => router.acknowledged.length === 1);
    assert.deepEqual(router.acknowledged, [id]);
    assert.deepEqual(router.finished[0], {
      turn: 1,
      consumed: [1],
      messages: [],
      cancelled: true,
      notice: undefined,
    });
  });

  it("only acknowledges a stop for a turn that does not run", async () => {
    const { runner, router, load } = await withScripts(answering(block("hi")));
    await using _ = runner;
    void runner.start(load);
    router.stopTurn(7);
    await router.until(() => router.acknowledged.length === 1);
    router.say("one");
    await router.until(() => router.finished.length === 1);
    assert.equal(router.finished[0]?.cancelled, false);
  });

  it("uses another provider and context from the next turn on when the group changes", async () => {
    const { runner, router, provider } = await withScripts(answering(block("from the first")));
    await using _ = runner;
    const other = scriptedProvider("other", answering(block("from the second")));
    void runner.start(async (name) => (name === "other" ? other.factory : provider.factory));
    router.say("one");
    await router.until(() => router.finished.length === 1);
    router.context = { ...router.context, version: "2", provider: "other", instructions: "New words." };
    router.say("two");
    await router.until(() => router.finished.length === 2);
    assert.equal(router.finished[1]?.messages[0]?.text, "from the second");
    assert.match(other.inputs[0]?.instructions ?? "", /^New words/);
    assert.equal(provider.closed(), 1);
  });

  it("gives the provider the group's variables, but never in the place of its own", async () => {
    const { runner, router, provider } = await withScripts(answering(block("one")));
    await using _ = runner;
    router.context = {
      ...router.context,
      agent: { ...router.context.agent, env: { EDITOR: "ed", HOME: "/elsewhere" } },
    };
    router.say("hello");
    const given = Promise.withResolvers<Readonly<Record<string, string>>>();
    runner.env = { HOME: "/workspace/home" };
    void runner.start(async () => async (deps) => {
      given.resolve(deps.env);
      return await provider.factory(deps);
    });
    assert.deepEqual(await given.promise, { EDITOR: "ed", HOME: "/workspace/home" });
  });

  it("ends a message as dead when its provider can't be had, and says why", async () => {
    await using runner = await RunnerInProcess.create();
    const { router } = runner;
    router.say("one");
    void runner.start(async () => {
      throw new CopepodError("sandboxMissing", "install bubblewrap");
    });
    await router.until(() => router.failed.length === 1);
    assert.deepEqual([router.failed[0]?.class, router.failed[0]?.message], ["permanent", "install bubblewrap"]);
  });

  it("answers although it can't keep the continuation", async () => {
    const keep: Script = async function* ({ input }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      yield { kind: "continuation", value: "thread-1" };
      yield { kind: "result", text: block("hi") };
    };
    const { runner, router, load } = await withScripts(keep);
    await using _ = runner;
    await mkdir(runner.workspace);
    await writeFile(join(runner.workspace, ".copepod"), "in the way");
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(router.finished[0]?.messages[0]?.text, "hi");
  });

  it("fails a turn whose provider reads nothing, and one whose stream breaks", async () => {
    const blind: Script = async function* () {
      yield { kind: "result", text: block("what?") };
    };
    const broken: Script = async function* ({ input }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      throw new Error("pipe broke");
    };
    const { runner, router, load } = await withScripts(blind, broken, answering(block("at last")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(
      router.failed.map(({ class: failure, message }) => [failure, message]),
      [
        ["unknown", "the provider did not read the messages"],
        ["unknown", "pipe broke"],
      ],
    );
  });

  it("ends in peace when another runner holds the session", async () => {
    const { runner, router, provider, load } = await withScripts(endless);
    await using _ = runner;
    router.say("one");
    const running = runner.start(load);
    await provider.started(1);
    router.supersede();
    await running;
    assert.equal(runner.life.ended.reason, "superseded");
    assert.equal(router.finished.length, 0);
    assert.equal(provider.closed(), 1);
  });

  it("takes nothing more when it drains, but brings its turn to the end", async () => {
    const goOn = Promise.withResolvers<void>();
    const slow: Script = async function* ({ input }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await goOn.promise;
      yield { kind: "result", text: block("made it") };
    };
    const { runner, router, provider, load } = await withScripts(slow);
    await using _ = runner;
    router.say("one");
    const running = runner.start(load);
    await provider.started(1);
    router.drain();
    router.say("two");
    if (!runner.life.draining.aborted) await once(runner.life.draining, "abort");
    goOn.resolve();
    await running;
    assert.equal(router.finished[0]?.messages[0]?.text, "made it");
    assert.equal(router.stateOf(2), "pending");
  });

  it("repeats calls that were not answered, and its rows end once", async () => {
    const { runner, router, load } = await withScripts(answering(block("hi")));
    await using _ = runner;
    for (const call of ["hello", "context", "take", "finish"] as const) {
      router.faults.push({ call, kind: "refused", code: "podUnknown" }, { call, kind: "answerLost" });
    }
    router.say("one");
    void runner.start(load);
    await router.until(() => router.calls.filter((call) => call === "finish").length === 2);
    assert.equal(router.finished.length, 1);
  });

  it("tells what it does: thinking, a tool, idle", async () => {
    const { runner, router, provider, load } = await withScripts(endless);
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await provider.started(1);
    await router.until(() => router.activities.some(({ state, tool }) => state === "tool" && tool === "sleep"));
    router.stopTurn(1);
    await router.until(() => router.activities.at(-1)?.state === "idle");
  });
});
