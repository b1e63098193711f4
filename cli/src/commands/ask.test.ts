import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

const session = {
  namespace: "default",
  group: "helper",
  phase: "Asleep",
  epoch: 1,
  pending: 0,
  lastActiveAt: 0,
} as const;

describe("copepod ask", () => {
  it("prints the answer on stdout and the session on stderr", async () => {
    await using router = await FakeRouter.start();
    const ran = await runCli(["ask", "hello"], { router });
    assert.deepEqual(ran, { code: 0, stdout: "echo hello\n", stderr: "session: helper-0123456789ab\n" });
  });

  it("reads the prompt from stdin when there is no argument", async () => {
    await using router = await FakeRouter.start();
    assert.equal((await runCli(["ask"], { router, stdin: "two\nlines\n" })).stdout, "echo two\nlines\n");
  });

  it("prints session and answers as JSON with -o json, and errors too", async () => {
    await using router = await FakeRouter.start();
    const { stdout, stderr } = await runCli(["ask", "a", "-o", "json"], { router });
    assert.deepEqual(JSON.parse(stdout), { session: "helper-0123456789ab", answers: ["echo a"], files: [] });
    assert.equal(stderr, "");
    const refused = await runCli(["ask", "a", "-o", "json"]);
    assert.equal(JSON.parse(refused.stderr).error.code, "notRunning");
  });

  it("starts a new conversation each time, and goes on in one with --session", async () => {
    await using router = await FakeRouter.start();
    router.sessions = [{ ...session, name: "helper-0123456789ab", terminal: "main" }];
    await runCli(["ask", "a"], { router });
    await runCli(["ask", "b", "--session", "helper-0123456789ab", "--group", "helper"], { router });
    assert.match(router.messages[0]?.conversation ?? "", /^ask-/);
    assert.equal(router.messages[1]?.conversation, "main");
    assert.equal(router.messages[1]?.group, "helper");
  });

  it("exits 3 for a session that does not exist", async () => {
    await using router = await FakeRouter.start();
    const { code, stderr } = await runCli(["ask", "a", "--session", "nobody"], { router });
    assert.equal(code, 3);
    assert.match(stderr, /no session is called "nobody"/);
  });

  it("exits 5 when the answer takes longer than --timeout, and keeps the message", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => ({ pending: true });
    const { code, stdout } = await runCli(["ask", "a", "--timeout", "1s"], { router });
    assert.equal(code, 5);
    assert.equal(stdout, "");
    assert.equal(router.messages.length, 1);
    assert.deepEqual(router.stops, []);
  });

  it("exits 6 when the turn ends without a word of the agent, and shows what Copepod says instead", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => ({ lines: [{ from: "system", text: "The provider failed." }] });
    const { code, stdout, stderr } = await runCli(["ask", "a"], { router });
    assert.equal(code, 6);
    assert.equal(stdout, "");
    assert.match(stderr, /The provider failed\./);
  });

  it("exits 7 when the message is refused", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => ({ refuse: new CopepodError("rateLimited", "too many messages") });
    const { code, stderr } = await runCli(["ask", "a"], { router });
    assert.equal(code, 7);
    assert.match(stderr, /too many messages/);
  });

  it("exits 8 when nothing runs", async () => {
    assert.equal((await runCli(["ask", "a"])).code, 8);
  });

  it("exits 1 for an empty prompt, and 2 for a command line that is not valid", async () => {
    await using router = await FakeRouter.start();
    assert.equal((await runCli(["ask"], { router, stdin: " \n" })).code, 1);
    assert.equal((await runCli(["ask", "a", "--tiemout", "1s"], { router })).code, 2);
  });

  it("stops the turn and exits 130 on Ctrl-C", async () => {
    await using router = await FakeRouter.start();
    let interrupt = () => {};
    router.reply = () => {
      setImmediate(() => interrupt());
      return { pending: true };
    };
    const onReady = (given: () => void) => {
      interrupt = given;
    };
    const { code } = await runCli(["ask", "a"], { router, onReady });
    assert.equal(code, 130);
    assert.equal(router.stops.length, 1);
  });

  it("says nothing twice when an answer of the router gets lost", async () => {
    await using router = await FakeRouter.start();
    router.lostAnswers = 1;
    const { code, stdout, stderr } = await runCli(["ask", "a"], { router });
    assert.deepEqual([code, stdout, router.messages.length], [0, "echo a\n", 1]);
    assert.match(stderr, /does not answer; trying again.*Copepod is back/s);
  });

  it("exits 8 when the system is ended while it waits", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => {
      router.ended = true;
      setImmediate(() => void router.stopServing());
      return { pending: true };
    };
    assert.equal((await runCli(["ask", "a"], { router })).code, 8);
  });

  it("waits for a router that restarts", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => {
      setImmediate(async () => {
        await router.stopServing();
        router.finish("message-1", [{ from: "agent", text: "late" }]);
        await router.serve();
      });
      return { pending: true };
    };
    const { code, stdout } = await runCli(["ask", "a"], { router });
    assert.deepEqual([code, stdout], [0, "late\n"]);
  });
});
