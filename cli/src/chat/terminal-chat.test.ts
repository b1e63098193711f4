import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { adminApi } from "@copepod/core/admin-api";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { Transfers } from "../files/transfers.ts";
import { createUnixFetch, type UnixFetch } from "../http/unix-fetch.ts";
import { FakeRouter, messageRow } from "../testing/fake-router.ts";
import { FakeTerminal } from "../testing/fake-terminal.ts";
import { Conversation } from "./conversation.ts";
import { TerminalChat } from "./terminal-chat.ts";

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const paste = (text: string) => `\u001b[200~${text}\u001b[201~`;

describe("a chat at a terminal", () => {
  let router: FakeRouter;
  let terminal: FakeTerminal;
  let unix: UnixFetch;
  let ended: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    router = await FakeRouter.start();
    unix = createUnixFetch(router.socketPath);
    ended = new AbortController();
  });

  afterEach(async () => {
    ended.abort();
    await running.catch(() => {});
    await unix.close();
    await router[Symbol.asyncDispose]();
  });

  async function open(): Promise<void> {
    terminal = new FakeTerminal();
    let keys = 0;
    const conversation = new Conversation(
      { conversation: "main", sender: "ann", group: undefined },
      {
        blobs: router.blobs,
        namespace: "default",
        admin: createClient(adminApi, { fetch: unix.fetch, baseUrl: "http://router" }),
        randomKey: () => `${router.messages.length}-${++keys}`,
        random: () => 0,
        onOutage: () => chat.notice("away"),
        onAnswer: () => {},
        hasEnded: async () => router.ended,
      },
    );
    const paint = (_format: unknown, text: string) => text;
    const transfers = new Transfers({
      conversation,
      userHome: join(router.folder, "ann"),
      folder: undefined,
      received: join(router.folder, "received"),
      now: () => 0,
      tell: (sentence) => chat.notice(sentence),
    });
    const words = { agent: "helper", greeting: "welcome" };
    const chat: TerminalChat = new TerminalChat({ io: terminal.io, paint, conversation, transfers, ...words });
    running = chat.run(ended.signal);
    await terminal.shows("welcome");
  }

  it("shows the answer above the prompt", async () => {
    await open();
    terminal.type("hello\r");
    const end = await terminal.shows("helper: echo hello\n");
    assert.match(terminal.text.slice(0, end), /> $/);
  });

  it("shows the past first", async () => {
    await open();
    terminal.type("hello\r");
    await terminal.shows("echo hello");
    ended.abort();
    await running;
    ended = new AbortController();
    await open();
    assert.match(terminal.text, /helper: echo hello\n· welcome\n/);
  });

  it("shows what the agent is doing, and stops to when the turn ends", async () => {
    router.reply = () => ({ pending: true });
    await open();
    terminal.type("work\r");
    let at = await terminal.shows("waiting for helper…");
    router.activity({ state: "thinking" });
    at = await terminal.shows("helper is thinking…\n> ", at);
    router.activity({ state: "tool", tool: "search" });
    at = await terminal.shows("helper is using search…\n> ", at);
    router.finish("message-1", [{ from: "agent", text: "done" }]);
    await terminal.shows(/helper: done\n> $/, at);
  });

  it("shows why a message waits that was tried in vain", async () => {
    router.reply = () => ({ pending: true });
    await open();
    terminal.type("work\r");
    const at = await terminal.shows("waiting for helper…");
    router.activity({ state: "thinking" });
    await terminal.shows("helper is thinking…", at);
    router.rows = [messageRow({ id: "message-1", state: "pending", attempt: 2, reason: "no\nanswer" })];
    router.activity({ state: "idle" });
    await terminal.shows("waiting for helper… (tried 2 times; the last time: no answer)\n> ", at);
  });

  it("keeps what is being typed when an answer comes", async () => {
    router.reply = () => ({ pending: true });
    await open();
    terminal.type("work\r");
    await terminal.shows("waiting for helper…");
    terminal.type("half a sen");
    await terminal.shows("> half a sen");
    router.finish("message-1", [{ from: "agent", text: "done" }]);
    await terminal.shows(/helper: done\n> half a sen$/);
    terminal.type("tence\r");
    await terminal.shows("> half a sentence");
  });

  it("sends pasted lines as one message", async () => {
    await open();
    terminal.type(paste("one\rtwo\rthree"));
    terminal.type("\r");
    await terminal.shows("helper: echo one\ntwo\nthree\n");
    assert.deepEqual(
      router.messages.map(({ text }) => text),
      ["one\ntwo\nthree"],
    );
  });

  it("shows a refusal, and goes on", async () => {
    await open();
    router.reply = () => ({ refuse: new CopepodError("rateLimited", "too many messages") });
    terminal.type("a\r");
    await terminal.shows("· too many messages\n");
    router.reply = () => ({ lines: [{ from: "agent", text: "fine" }] });
    terminal.type("b\r");
    await terminal.shows("helper: fine\n");
  });

  it("interrupts the turn on Ctrl-C, and leaves on the next", async () => {
    router.reply = () => ({ pending: true });
    await open();
    terminal.type("work\r");
    await terminal.shows("waiting for helper…");
    terminal.type(ctrlC);
    await terminal.shows("· Stopping …\n");
    assert.deepEqual(router.stops, ["main"]);
    terminal.type(ctrlC);
    await running;
  });

  it("leaves on Ctrl-C at the idle prompt, but first removes what is typed", async () => {
    await open();
    terminal.type("nonsense");
    await terminal.shows("nonsense");
    terminal.type(ctrlC);
    terminal.type("good\r");
    await terminal.shows("helper: echo good\n");
    terminal.type(ctrlC);
    await running;
    assert.deepEqual(
      router.messages.map(({ text }) => text),
      ["good"],
    );
  });

  it("leaves on Ctrl-D when the answers are there", async () => {
    router.reply = () => ({ pending: true });
    await open();
    terminal.type("work\r");
    await terminal.shows("waiting for helper…");
    terminal.type(ctrlD);
    await terminal.shows("Waiting for the answer");
    router.finish("message-1", [{ from: "agent", text: "done" }]);
    await running;
    assert.match(terminal.text, /helper: done\n$/);
  });

  it("leaves on /quit, shows /help, stops on /stop, and knows no other command", async () => {
    await open();
    terminal.type("/help\r");
    await terminal.shows("/quit   leave");
    terminal.type("/stop\r");
    await terminal.shows("· Stopping …\n");
    terminal.type("/dance\r");
    await terminal.shows("There is no command /dance");
    terminal.type("/quit\r");
    await running;
    assert.deepEqual(router.messages, []);
  });

  it("survives a restart of the router: says so once, loses nothing, doubles nothing", async () => {
    await open();
    await router.stopServing();
    await terminal.shows("· away\n");
    terminal.type("one\rtwo\r");
    router.lostAnswers = 1;
    await router.serve();
    await terminal.shows("helper: echo one\n");
    await terminal.shows("helper: echo two\n");
    assert.deepEqual(
      router.messages.map(({ text }) => text),
      ["one", "two"],
    );
    assert.equal(terminal.text.match(/helper: echo one/g)?.length, 1);
  });

  it("ends with a word about it when the system is ended elsewhere", async () => {
    await open();
    router.ended = true;
    await router.stopServing();
    await assert.rejects(running, { code: "notRunning" });
  });

  it("ends when the system does", async () => {
    await open();
    ended.abort();
    await running;
  });

  it("removes from an answer what would steer the terminal", async () => {
    router.reply = () => ({ lines: [{ from: "agent", text: "a\u001b]0;title\u0007b" }] });
    await open();
    terminal.type("x\r");
    await terminal.shows("helper: a]0;titleb\n");
  });

  it("sends files, and shows below their line where those of the agent are", async () => {
    const files = [router.blobs.store(Buffer.from("an answer"), "a.txt")];
    router.reply = (text) => ({ lines: [{ from: "agent", text: `got ${text}`, files, session: "one" }] });
    await mkdir(join(router.folder, "ann"));
    await writeFile(join(router.folder, "ann", "my file"), "mine");
    await open();
    terminal.type('/file "~/my file" look\r');
    const line = await terminal.shows("helper: got look\n");
    const path = join(router.folder, "received", "one", "a.txt");
    await terminal.shows(`· a.txt is saved: ${path}\n`, line - "helper: got look\n".length);
    assert.equal(await readFile(path, "utf8"), "an answer");
    assert.deepEqual(
      router.messages[0]?.files?.map(({ name, bytes }) => ({ name, bytes })),
      [{ name: "my file", bytes: 4 }],
    );
    terminal.type("/file\r");
    await terminal.shows("· Write /file <path> [text], with quotes");
    terminal.type("/file ~/nothing\r");
    await terminal.shows('· there is no file "~/nothing"');
    terminal.type("/file ~\r");
    await terminal.shows('· "~" is a folder');
    assert.equal(router.messages.length, 1);
  });

  it("saves the files of the past too, once, and leaves only when they are there", async () => {
    const files = [router.blobs.store(Buffer.from("an answer"), "a.txt")];
    router.reply = () => ({ lines: [{ from: "agent", text: "here", files, session: "one" }] });
    await open();
    terminal.type("hello\r");
    await terminal.shows("a.txt is saved");
    for (const _again of [1, 2]) {
      terminal.type(ctrlD);
      await running;
      await open();
      await terminal.shows("a.txt is saved");
    }
    assert.deepEqual(await readdir(join(router.folder, "received", "one")), ["a.txt"]);
  });
});
