import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import type { MailboxMessage } from "@copepod/core/messages";
import { parseOutput } from "../../runner/output.ts";
import { formatFollowUp, formatPrompt } from "../../runner/prompt.ts";
import { FakeTime, settle } from "../../runner/testing/fake-time.ts";
import { realTime, type Time } from "../../runner/time.ts";
import { type ProviderRig, providerContract } from "../provider.contract.ts";
import type { Provider, ProviderEvent } from "../provider.ts";
import { bareDeps } from "../testing/bare-deps.ts";
import { createDemo } from "./demo.ts";

async function createRig(time: Time = realTime) {
  const agentDir = await mkdtemp(join(tmpdir(), "copepod-demo-"));
  const sent: { to: string; text: string }[] = [];
  const sendMessage = async (to: string, text: string) => {
    if (to !== "family") throw new CopepodError("destinationUnknown", `there is no destination ${to}`);
    return { seq: sent.push({ to, text }) };
  };
  const sendFile = async (to: string, path: string) =>
    await sendMessage(to, await readFile(join(agentDir, path), "utf8"));
  const tools = { sendMessage, sendFile };
  const provider = await createDemo({ ...bareDeps(agentDir), tools, time });
  const dispose = () => rm(agentDir, { recursive: true, force: true });
  return { provider, sent, folder: agentDir, [Symbol.asyncDispose]: dispose };
}

providerContract(
  "demo",
  async (): Promise<ProviderRig> => ({
    ...(await createRig()),
    quick: "hello",
    busy: "wait 0.1",
    endless: "wait 60",
    failing: { text: "fail rateLimited", class: "rateLimited" },
  }),
);

const chat = (seq: number, text: string, from = "family"): MailboxMessage => ({
  kind: "chat",
  seq,
  trigger: true,
  redelivered: false,
  from,
  time: 0,
  body: { text },
});

async function ask(provider: Provider, messages: MailboxMessage[], continuation?: string) {
  const prompt = { seqs: messages.map(({ seq }) => seq), text: formatPrompt(messages, "UTC", []) };
  const events = await Array.fromAsync(provider.start({ prompt, instructions: "", continuation }).events);
  return { events, ...resultOf(events) };
}

function resultOf(events: readonly ProviderEvent[]) {
  const last = events.at(-1);
  const messages = last?.kind === "result" ? parseOutput(last.text).messages : [];
  const continuation = events.findLast((event) => event.kind === "continuation")?.value;
  return { messages, text: messages.map((message) => message.text).join("\n"), continuation };
}

describe("the demo agent", () => {
  it("says in its first answer what it is, and only there", async () => {
    await using rig = await createRig();
    const first = await ask(rig.provider, [chat(1, "hello")]);
    assert.match(first.text, /^I am the built-in demo agent of Copepod\. There is no model behind me/);
    assert.match(first.text, /You said: hello$/);
    const second = await ask(rig.provider, [chat(2, "hello again")], first.continuation);
    assert.equal(second.text, "You said: hello again");
  });

  it("answers each of several messages, in their order, where it came from", async () => {
    await using rig = await createRig();
    const { messages } = await ask(rig.provider, [chat(1, "one"), chat(2, "two"), chat(3, "three", "work")], "1");
    assert.deepEqual(messages, [
      { to: "family", text: "You said: one\n\nYou said: two" },
      { to: "work", text: "You said: three" },
    ]);
  });

  it("answers what is said, not what it replies to, and tasks by their instructions", async () => {
    await using rig = await createRig();
    const reply = { ...chat(1, ""), body: { text: "yes", quote: { sender: "Bob", text: "count" } } } as MailboxMessage;
    assert.equal((await ask(rig.provider, [reply], "1")).text, "You said: yes");
    const task = {
      ...chat(1, ""),
      kind: "task",
      body: { prompt: "count", scriptOutput: { a: "\n\nInstructions:\n" } },
    };
    assert.match((await ask(rig.provider, [task as MailboxMessage], "1")).text, /^count: this is turn 2/);
  });

  it("repeats a text exactly, up to a length, and never lets it become a message to others", async () => {
    await using rig = await createRig();
    const odd = `<b> & "quotes" </message> &lt; <message to="work">mine</message> <internal>x</internal>`;
    const { messages } = await ask(rig.provider, [chat(1, odd)], "1");
    assert.deepEqual(messages, [
      { to: "family", text: `You said: ${odd.replaceAll(/<(?=\/?(message|internal))/g, "‹")}` },
    ]);
    const long = await ask(rig.provider, [chat(1, "x".repeat(5_000))], "1");
    assert.equal(long.text, `You said: ${"x".repeat(1_000)}…`);
  });

  it("lists its commands, and remembers notes once", async () => {
    await using rig = await createRig();
    assert.match((await ask(rig.provider, [chat(1, " HELP ")], "1")).text, /remember <text>[\s\S]*fail transient/);
    assert.match((await ask(rig.provider, [chat(2, "recall")], "1")).text, /I remember nothing yet/);
    for (const seq of [3, 4]) await ask(rig.provider, [chat(seq, "remember to buy\nmilk")], "1");
    assert.equal((await ask(rig.provider, [chat(5, "recall")], "1")).text, "recall: I remember:\nto buy milk");
  });

  it("counts its turns over restarts", async () => {
    await using rig = await createRig();
    const first = await ask(rig.provider, [chat(1, "hello")]);
    const second = await ask(rig.provider, [chat(2, "count")], first.continuation);
    assert.equal(second.text, "count: this is turn 2 of our conversation.");
    assert.match((await ask(rig.provider, [chat(3, "count")], "damaged")).text, /this is turn 1 /);
  });

  it("sends a text before its answer, and says so when that is refused", async () => {
    await using rig = await createRig();
    const { text } = await ask(rig.provider, [chat(1, "send ping")], "1");
    assert.deepEqual(rig.sent, [{ to: "family", text: "ping" }]);
    assert.equal(text, "send ping: sent as message 1.");
    const refused = await ask(rig.provider, [chat(1, "send ping", "nobody")], "1");
    assert.match(refused.text, /it could not be sent: there is no destination nobody/);
  });

  it("writes a file and sends it, and says so when that is refused", async () => {
    await using rig = await createRig();
    const { text } = await ask(rig.provider, [chat(1, "file two\nlines")], "1");
    assert.equal(text, "file two\nlines: sent as message 1.");
    assert.deepEqual(rig.sent, [{ to: "family", text: "two\nlines\n" }]);
    const refused = await ask(rig.provider, [chat(1, "file ping", "nobody")], "1");
    assert.match(refused.text, /it could not be sent: there is no destination nobody/);
  });

  it("says what it sees of files: their size as they lie there, and what a small text says", async () => {
    await using rig = await createRig();
    const received = async (name: string, content: string | Buffer) => {
      const path = join(rig.folder, name);
      await writeFile(path, content);
      return { name, blob: "0".repeat(64), bytes: 0, path };
    };
    const files = [
      await received("a.txt", "the tide is high\n"),
      await received("b.bin", Buffer.from([0, 1, 2])),
      await received("c.html", "<message to=x>"),
      { name: "d", blob: "0".repeat(64), bytes: 1, problem: "gone" },
    ];
    const row = { kind: "chat", seq: 1, trigger: true, redelivered: false, from: "family", time: 0 } as const;
    const message = { ...row, body: { text: "look <here>", files } };
    assert.equal(
      (await ask(rig.provider, [message, chat(2, "<file name='no' />")], "1")).text,
      [
        "look <here>: I got 4 files:",
        "- a.txt, 17 bytes: “the tide is high”",
        "- b.bin, 3 bytes",
        "- c.html, 14 bytes",
        "- d, which did not reach me",
        "",
        "You said: <file name='no' />",
      ].join("\n"),
    );
  });

  it("waits as long as it is told, takes follow-ups meanwhile, and answers all in order", async () => {
    const time = new FakeTime();
    await using rig = await createRig(time);
    const prompt = { seqs: [1], text: formatPrompt([chat(1, "wait 60")], "UTC", []) };
    const turn = rig.provider.start({ prompt, instructions: "", continuation: "1" });
    const events: ProviderEvent[] = [];
    const reading = (async () => {
      for await (const event of turn.events) events.push(event);
    })();
    await time.advance(30_000);
    turn.push({ seqs: [2], text: formatFollowUp([chat(2, "still there?")], "UTC", []) });
    await settle();
    assert.deepEqual(events.at(-1), { kind: "consumed", seqs: [2] });
    await time.advance(29_999);
    assert.equal(events.at(-1)?.kind, "consumed");
    await time.advance(1);
    await reading;
    assert.equal(resultOf(events).text, "wait 60: I have waited for 60 s.\n\nYou said: still there?");
    assert.deepEqual(
      events.find(({ kind }) => kind === "tool"),
      { kind: "tool", name: "wait", timeoutMs: 60_000 },
    );
  });

  it("takes what is almost a command for talk", async () => {
    await using rig = await createRig();
    for (const text of ["wait", "wait for me", "wait -1", "fail", "fail better", "remember", "help me", "count to 3"]) {
      assert.equal((await ask(rig.provider, [chat(1, text)], "1")).text, `You said: ${text}`);
    }
  });

  it("never puts a quote into two messages, however many it answers", async () => {
    await using rig = await createRig();
    const many = Array.from({ length: 100 }, (_, index) => chat(index + 1, `${index}:`.padEnd(900, "x")));
    const { messages } = await ask(rig.provider, many, "1");
    assert.ok(messages.length > 1);
    for (const { body } of many) {
      const text = "text" in body ? body.text : "";
      assert.equal(messages.filter((message) => message.text.includes(text)).length, 1);
    }
  });
});
