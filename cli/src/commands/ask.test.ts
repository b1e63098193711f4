import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { FakeRouter, messageRow, type Reply } from "../testing/fake-router.ts";
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

  it("sends files along, and saves those of the answer", async () => {
    await using router = await FakeRouter.start();
    const files = [router.blobs.store(Buffer.from("an answer"), "a.txt")];
    router.reply = () => ({ lines: [{ from: "agent", text: "here", files, session: "helper-0123456789ab" }] });
    const [one, two] = [join(router.folder, "one"), join(router.folder, "two")];
    for (const path of [one, two]) await writeFile(path, path);
    const sent = ["ask", "read", "--file", one, "--file", two];
    const ran = await runCli(sent, { router, home: router.folder });
    const path = join(router.folder, "received", "helper-0123456789ab", "a.txt");
    assert.deepEqual(ran, { code: 0, stdout: "here\n", stderr: `session: helper-0123456789ab\nsaved: ${path}\n` });
    assert.equal(await readFile(path, "utf8"), "an answer");
    const [message] = router.messages;
    assert.deepEqual([message?.text, message?.files?.map(({ name }) => name)], ["read", ["one", "two"]]);
  });

  it("saves files of the answer where --save says, and tells where with -o json", async () => {
    await using router = await FakeRouter.start();
    const files = [router.blobs.store(Buffer.from("an answer"), "a.txt")];
    router.reply = () => ({ lines: [{ from: "agent", text: "here", files, session: "one" }] });
    const folder = join(router.folder, "elsewhere");
    const json = await runCli(["ask", "a", "--save", folder, "-o", "json"], { router });
    assert.deepEqual(JSON.parse(json.stdout).files, [{ name: "a.txt", path: join(folder, "a.txt"), bytes: 9 }]);
  });

  it("needs no prompt beside a file, and says nothing when a file can't be sent", async () => {
    await using router = await FakeRouter.start();
    await writeFile(join(router.folder, "one"), "1");
    const ran = await runCli(["ask", "--file", join(router.folder, "one")], { router });
    assert.equal(ran.stdout, "echo one\n");
    const refused = await runCli(["ask", "read", "--file", "/nowhere/else"], { router });
    assert.deepEqual([refused.code, router.messages.length], [3, 1], refused.stderr);
    assert.match(refused.stderr, /there is no file "\/nowhere\/else"/);
  });

  it("starts a new conversation each time, and goes on in one with --session, with its agent group and no other", async () => {
    await using router = await FakeRouter.start();
    router.sessions = [{ ...session, name: "helper-0123456789ab", terminal: "main" }];
    await runCli(["ask", "a"], { router });
    await runCli(["ask", "b", "--session", "helper-0123456789ab"], { router });
    assert.match(router.messages[0]?.conversation ?? "", /^ask-/);
    assert.equal(router.messages[1]?.conversation, "main");
    assert.deepEqual([router.messages[0]?.group, router.messages[1]?.group], [undefined, "helper"]);
    const other = await runCli(["ask", "c", "--session", "helper-0123456789ab", "--group", "other"], { router });
    assert.match(other.stderr, /is of the agent group "helper", not "other"/);
    assert.equal(router.messages.length, 2);
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

  it("says at the time-out why the last try failed", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => ({ pending: true });
    const reason = "The model API could not be reached.";
    const tell = async (row: Parameters<typeof messageRow>[0]) => {
      router.rows = [messageRow(row)];
      return (await runCli(["ask", "a", "--timeout", "1s"], { router })).stderr;
    };
    const twice = await tell({ id: "message-1", state: "pending", attempt: 2, reason });
    assert.match(twice, /in time: tried 2 times; the last time: The model API could not be reached\.\n +Mend that/);
    const once = await tell({ id: "message-1", state: "leased", attempt: 2, reason });
    assert.match(once, /in time: tried once, and failed: The model API/);
    const never = await tell({ id: "message-1", state: "leased", attempt: 1 });
    assert.match(never, /in time; the message is kept\n +Give more time with `--timeout`/);
  });

  const outcome = async (reply: Reply, row?: Parameters<typeof messageRow>[0], ...args: string[]) => {
    await using router = await FakeRouter.start();
    router.reply = () => reply;
    if (row) router.rows = [messageRow(row)];
    const { code, stdout, stderr } = await runCli(["ask", "a", ...args], { router });
    assert.deepEqual([code, stdout], [6, ""]);
    return stderr;
  };

  it("exits 6 when Copepod says something in place of the agent, and names where to look", async () => {
    const told: Reply = { lines: [{ from: "system", text: "I can't answer." }] };
    const row = { id: "message-1", state: "dead", code: "providerAuth", reason: "status 401" } as const;
    assert.match(
      await outcome(told, row),
      /I can't answer\.\nError: .*not answered; the line above says why\n.*`copepod get dead-letters`/,
    );
    const [, json = ""] = (await outcome(told, row, "-o", "json")).split("\n");
    assert.equal(JSON.parse(json).error.code, "providerAuth");
    assert.match(await outcome({}, row), /Error: the message was not answered: status 401\n/);
  });

  it("exits 6 when the turn ends without a word of anybody, or was stopped", async () => {
    assert.match(await outcome({}), /the agent ended its turn without an answer\n +It may have had nothing to say/);
    const stopped = await outcome({}, { id: "message-1", state: "done", code: "cancelled" });
    assert.match(stopped, /the turn was stopped before it had an answer\n +Send the message again/);
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
