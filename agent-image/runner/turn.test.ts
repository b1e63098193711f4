import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { block, withScripts } from "./testing/runner-in-process.ts";
import { answering, type Script } from "./testing/scripted-provider.ts";

describe("the answer of a turn", { timeout: 20_000 }, () => {
  it("asks once for the answer again when nobody can get it", async () => {
    const { runner, router, provider, load } = await withScripts(answering("just so"), answering(block("now right")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.match(provider.inputs[1]?.prompt.text ?? "", /^<system>[\s\S]*&quot;family&quot;, &quot;work&quot;/);
    assert.deepEqual(router.finished[0]?.messages, [{ to: "family", text: "now right" }]);
    assert.equal(router.finished[0]?.notice, undefined);
  });

  it("tells the person when there is still no answer", async () => {
    const { runner, router, provider, load } = await withScripts(answering(block("hi", "nobody")));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(provider.inputs.length, 2);
    assert.match(router.finished[0]?.notice ?? "", /without an answer/);
  });

  it("accepts silence that the agent has marked as meant", async () => {
    const { runner, router, provider, load } = await withScripts(answering("<internal>not for me</internal>"));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(provider.inputs.length, 1);
    assert.equal(router.finished[0]?.notice, undefined);
  });

  it("does not repeat in its answer what it has sent in the same turn", async () => {
    const eager: Script = async function* ({ input, tools }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await tools.sendMessage("family", "hello");
      await tools.sendMessage("family", "hello");
      yield { kind: "result", text: block("hello") + block("hello", "work") };
    };
    const { runner, router, load } = await withScripts(eager);
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(router.posted.length, 2);
    assert.deepEqual(router.finished[0]?.messages, [{ to: "work", text: "hello" }]);
  });

  it("refuses a message to an unknown destination in the turn, by its code", async () => {
    let code: unknown;
    const wrong: Script = async function* ({ input, tools }) {
      yield { kind: "consumed", seqs: input.prompt.seqs };
      await tools.sendMessage("nobody", "hello").catch((error: unknown) => {
        code = error instanceof CopepodError ? error.code : error;
      });
      yield { kind: "result", text: block("sorry") };
    };
    const { runner, router, load } = await withScripts(wrong);
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(code, "destinationUnknown");
    assert.deepEqual(router.finished[0]?.messages, [{ to: "family", text: "sorry" }]);
  });

  it("splits an answer that is too long for one message, and loses none of it", async () => {
    const text = "word ".repeat(60_000).trim();
    const { runner, router, load } = await withScripts(answering(block(text)));
    await using _ = runner;
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.equal(router.finished[0]?.messages.map((message) => message.text).join(""), text);
  });

  it("goes on without the messages when the router refuses them for good", async () => {
    const { runner, router, load } = await withScripts(answering(block("hi")));
    await using _ = runner;
    router.faults.push({ call: "finish", kind: "refused", code: "invalid" });
    router.say("one");
    void runner.start(load);
    await router.until(() => router.finished.length === 1);
    assert.match(router.finished[0]?.notice ?? "", /could not be delivered/);
  });
});
