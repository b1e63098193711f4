import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { kill, SessionProcesses, untilExit } from "./testing/session-processes.ts";

const deadlineMs = 120_000;

/** Router, proxy and runner up, and the runner holding the session. */
async function awake() {
  const session = await SessionProcesses.create();
  await session.startRouter();
  const proxy = session.start("proxy");
  const runner = session.start("runner");
  await session.router.until((router) => router.calls.includes("context") && router.instances.length === 1);
  return { session, router: session.router, proxy, runner };
}

describe("runner and credential-proxy as processes", { timeout: deadlineMs, concurrency: 2 }, () => {
  it("answer a message, whichever starts first, and end when asked", async () => {
    await using session = await SessionProcesses.create();
    const { router } = session;
    router.say("hello");
    const runner = session.start("runner");
    await once(runner.stdout ?? runner, "data");
    const proxy = session.start("proxy");
    await session.startRouter();
    await router.until(() => router.finished.length === 1);
    assert.match(router.finished[0]?.messages[0]?.text ?? "", /no model[\s\S]*You said: hello/);
    assert.match(router.finished[0]?.messages[0]?.to ?? "", /^family$/);
    runner.kill("SIGTERM");
    assert.equal(await untilExit(runner), 0);
    proxy.kill("SIGTERM");
    assert.equal(await untilExit(proxy), 0);
    assert.equal(router.draining, true);
  });

  it("end a row once when the proxy dies between the commit of a finish and its answer", async () => {
    const { session, router, proxy } = await awake();
    await using _ = session;
    router.faults.push({ call: "finish", kind: "answerLost" });
    router.say("hello");
    await router.until(() => router.finished.length === 1);
    await kill(proxy);
    session.start("proxy");
    await router.until(() => router.calls.filter((call) => call === "finish").length === 2);
    router.say("and now?");
    await router.until(() => router.finished.length === 2);
    assert.deepEqual(
      router.finished.map(({ consumed }) => consumed),
      [[1], [2]],
    );
    assert.equal(router.instances.length, 1);
  });

  it("end a row once when the runner dies between the commit of a finish and its answer", async () => {
    const { session, router, runner } = await awake();
    await using _ = session;
    router.faults.push({ call: "finish", kind: "answerLost" });
    router.say("hello");
    await router.until(() => router.finished.length === 1);
    await kill(runner);
    session.start("runner");
    router.say("and now?");
    await router.until(() => router.finished.length === 2);
    assert.deepEqual(router.finished[1]?.consumed, [2]);
  });

  it("go on with a turn whose proxy was killed", async () => {
    const { session, router, proxy } = await awake();
    await using _ = session;
    router.say("wait 1");
    await router.until(() => router.activities.some(({ state }) => state === "tool"));
    await kill(proxy);
    session.start("proxy");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0]?.consumed, [1]);
    assert.equal(router.instances.length, 1);
  });

  it("lose no row with the answer of a take, and finish once when an answer is lost", async () => {
    const { session, router } = await awake();
    await using _ = session;
    router.faults.push({ call: "take", kind: "answerLost" }, { call: "finish", kind: "answerLost" });
    router.say("one");
    await router.until(() => router.calls.filter((call) => call === "finish").length === 2);
    assert.equal(router.finished.length, 1);
    router.say("two");
    await router.until(() => router.finished.length === 2);
    assert.match(router.finished[1]?.messages[0]?.text ?? "", /^You said: two$/);
  });

  it("repeat a turn whose runner was killed, and send nothing of it twice", async () => {
    const { session, router, runner } = await awake();
    await using _ = session;
    router.say("send early bird");
    router.say("wait 30");
    await router.until(() => router.posted.length === 1);
    await kill(runner);
    session.start("runner");
    await router.until(() => router.instances.length === 2 && router.activities.at(-1)?.state === "tool");
    router.stopTurn(1);
    await router.until(() => router.finished.length === 1);
    assert.equal(router.posted.length, 1);
    assert.equal(router.finished[0]?.cancelled, true);
  });

  it("take a follow-up into the running turn, and answer both together", async () => {
    const { session, router } = await awake();
    await using _ = session;
    router.say("wait 1");
    await router.until(() => router.activities.at(-1)?.state === "tool");
    router.say("and this");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0]?.consumed, [1, 2]);
    assert.match(router.finished[0]?.messages[0]?.text ?? "", /wait 1: I have waited[\s\S]*You said: and this/);
  });

  it("stop a turn at once", async () => {
    const { session, router } = await awake();
    await using _ = session;
    router.say("wait 60");
    await router.until(() => router.activities.at(-1)?.state === "tool");
    router.stopTurn(1);
    await router.until(() => router.acknowledged.length === 1);
    assert.equal(router.finished[0]?.cancelled, true);
  });

  it("wait for a router that is down, and go on where they were", async () => {
    const { session, router } = await awake();
    await using _ = session;
    router.say("wait 1");
    await router.until(() => router.activities.at(-1)?.state === "tool");
    await router.stop();
    router.say("two");
    await session.untilOutput(/mailbox does not answer/);
    await session.startRouter();
    await router.until(() => router.finished.flatMap(({ consumed }) => consumed).length === 2);
    assert.equal(router.instances.length, 1);
  });

  it("drain: the turn ends, its answer arrives, and the proxy stays until the runner has gone", async () => {
    const { session, router, proxy, runner } = await awake();
    await using _ = session;
    router.say("wait 1");
    await router.until(() => router.activities.at(-1)?.state === "tool");
    proxy.kill("SIGTERM");
    runner.kill("SIGTERM");
    assert.equal(await untilExit(runner), 0);
    assert.equal(router.finished.length, 1);
    assert.equal(await untilExit(proxy), 0);
  });

  it("end when another runner holds the session: the runner at once, the proxy not", async () => {
    const { session, router, proxy, runner } = await awake();
    await using _ = session;
    router.supersede();
    assert.equal(await untilExit(runner), 0);
    assert.equal(proxy.exitCode, null);
  });

  it("end at once, in the middle of a turn, when their parent is gone", async () => {
    const { session, router, proxy, runner } = await awake();
    await using _ = session;
    router.say("wait 60");
    await router.until(() => router.activities.at(-1)?.state === "tool");
    proxy.stdin?.destroy();
    runner.stdin?.destroy();
    assert.deepEqual(await Promise.all([untilExit(proxy), untilExit(runner)]), [0, 0]);
    assert.equal(router.finished.length, 0);
  });

  it("keep memory and the conversation over a restart", async () => {
    const { session, router, runner } = await awake();
    await using _ = session;
    router.say("remember the milk");
    await router.until(() => router.finished.length === 1);
    await kill(runner);
    session.start("runner");
    router.say("recall");
    router.say("count");
    await router.until(() => router.finished.flatMap(({ consumed }) => consumed).length === 3);
    const last = router.finished.slice(1).flatMap(({ messages }) => messages.map(({ text }) => text));
    assert.match(last.join("\n"), /I remember:\nthe milk/);
    assert.match(last.join("\n"), /count: this is turn [23] /);
  });

  it("show the composed instructions to the agent as a file, and keep secrets out of their logs", async () => {
    const { session, router } = await awake();
    await using _ = session;
    router.say("a text that stays out of the logs");
    await router.until(() => router.finished.length === 1);
    await session.untilOutput(/turn ends/);
    const path = join(session.env.COPEPOD_INSTRUCTIONS_DIR ?? "", "instructions.md");
    assert.equal(await readFile(path, "utf8"), router.context.instructions);
    assert.equal((await stat(path)).mode & 0o777, 0o644);
    assert.equal((await stat(session.env.COPEPOD_PROXY_SOCKET ?? "")).mode & 0o777, 0o600);
    for (const secret of [router.token, session.env.COPEPOD_PLACEHOLDER ?? "", "stays out of the logs"]) {
      assert.ok(!session.output.includes(secret), `the logs hold "${secret}"`);
    }
  });

  it("name the variable that is missing, and end with 2", async () => {
    await using session = await SessionProcesses.create();
    session.env.COPEPOD_PLACEHOLDER = "short";
    for (const program of ["runner", "proxy"] as const) {
      assert.equal(await untilExit(session.start(program)), 2);
    }
    assert.match(session.output, /copepod runner: COPEPOD_PLACEHOLDER: /);
    assert.match(session.output, /copepod credential-proxy: COPEPOD_PLACEHOLDER: /);
  });
});
