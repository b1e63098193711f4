import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SessionProcesses, untilExit } from "./testing/session-processes.ts";

const deadlineMs = 20_000;

describe("runner and credential-proxy as processes", { timeout: deadlineMs }, () => {
  it("answer a message and end when asked", async () => {
    await using session = await SessionProcesses.create();
    const { router } = session;
    await session.startRouter();
    router.say("hello");
    const runner = session.start("runner");
    const proxy = session.start("proxy");
    await router.until(() => router.finished.length === 1);
    assert.deepEqual(router.finished[0]?.consumed, [1]);
    assert.match(router.finished[0]?.messages[0]?.text ?? "", /no model[\s\S]*You said: hello/);
    runner.kill("SIGTERM");
    assert.equal(await untilExit(runner), 0);
    proxy.kill("SIGTERM");
    assert.equal(await untilExit(proxy), 0);
  });
});
