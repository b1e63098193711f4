import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

/** How late the scripted agent answers: long enough for a second line to overtake. */
const lateMs = 20;

describe("copepod chat in a pipe", () => {
  it("answers line by line, and prints nothing but the answers", async () => {
    await using router = await FakeRouter.start();
    const ran = await runCli(["chat"], { router, stdin: "one\n\n  two  \nthree" });
    assert.deepEqual(ran, { code: 0, stdout: "echo one\necho two\necho three\n", stderr: "" });
    assert.deepEqual([...new Set(router.messages.map(({ conversation }) => conversation))], ["main"]);
  });

  it("sends a file that a line names, and saves what comes back", async () => {
    await using router = await FakeRouter.start();
    const files = [router.blobs.store(Buffer.from("an answer"), "a.txt")];
    router.reply = (text) => ({ lines: [{ from: "agent", text: `echo ${text}`, files, session: "one" }] });
    await writeFile(join(router.folder, "my file"), "1");
    const stdin = `/file "${join(router.folder, "my file")}" read it\n/file ${join(router.folder, "my\\ file")}\n`;
    const ran = await runCli(["chat"], { router, stdin, home: router.folder });
    const path = join(router.folder, "received", "one", "a.txt");
    assert.deepEqual(ran, {
      code: 0,
      stdout: "echo read it\necho my file\n",
      stderr: `saved: ${path}\nsaved: ${path}\n`,
    });
    assert.deepEqual(
      router.messages.map((message) => message.files?.map(({ name }) => name)),
      [["my file"], ["my file"]],
    );
    const refused = await runCli(["chat"], { router, stdin: "/file\n" });
    assert.match(refused.stderr, /write \/file <path> \[text\]/);
  });

  it("does not say a line before the answer to the one before is there", async () => {
    await using router = await FakeRouter.start();
    let unanswered = 0;
    const openAtEachLine: number[] = [];
    router.reply = (text) => {
      openAtEachLine.push(unanswered++);
      const id = `message-${router.messages.length + 1}`;
      setTimeout(() => {
        unanswered -= 1;
        router.finish(id, [{ from: "agent", text: `late ${text}` }]);
      }, lateMs);
      return { pending: true };
    };
    const { stdout } = await runCli(["chat"], { router, stdin: "one\ntwo\n" });
    assert.equal(stdout, "late one\nlate two\n");
    assert.deepEqual(openAtEachLine, [0, 0]);
  });

  it("takes the conversation and the group that are named", async () => {
    await using router = await FakeRouter.start();
    await runCli(["chat", "--conversation", "work", "--group", "coder"], { router, stdin: "a\n" });
    assert.deepEqual([router.messages[0]?.conversation, router.messages[0]?.group], ["work", "coder"]);
  });

  it("fails with a sentence when an answer does not come", async () => {
    await using router = await FakeRouter.start();
    router.reply = () => ({ pending: true });
    const { code, stderr } = await runCli(["chat", "--timeout", "1s"], { router, stdin: "a\n" });
    assert.equal(code, 5);
    assert.match(stderr, /did not come in time/);
  });

  it("goes on after a line that got no answer, and exits 6 at the end", async () => {
    await using router = await FakeRouter.start();
    router.reply = (text) => ({ lines: [{ from: text === "two" ? "system" : "agent", text: `echo ${text}` }] });
    const { code, stdout, stderr } = await runCli(["chat"], { router, stdin: "one\ntwo\nthree\n" });
    assert.deepEqual([code, stdout], [6, "echo one\necho three\n"]);
    assert.match(stderr, /^echo two\nError: the message was not answered; the line above says why\n/);
  });

  it("joins the system that runs when it is called by start", async () => {
    await using router = await FakeRouter.start();
    const home = router.folder;
    const { code, stdout } = await runCli(["start"], { router, home, stdin: "a\n" });
    assert.deepEqual([code, stdout], [0, "echo a\n"]);
  });
});
