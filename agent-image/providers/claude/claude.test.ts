import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { FailureClass, MailboxMessage } from "@copepod/core/messages";
import { formatFollowUp, formatPrompt } from "../../runner/prompt.ts";
import { providerContract } from "../provider.contract.ts";
import type { McpServer, Provider, ProviderEvent, Turn } from "../provider.ts";
import { harnessGate, makeRealProvider, type RealProvider } from "../testing/real-provider.ts";

const skip = harnessGate("claude");
if (skip !== undefined) console.log(`not run: ${skip}`);
/** Longer than all of this takes on a busy machine. */
const timeout = 600_000;
/** How often a condition is looked at. */
const probeMs = 10;

const classes: Readonly<Record<number, FailureClass>> = {
  400: "permanent",
  401: "auth",
  403: "auth",
  429: "rateLimited",
  500: "transient",
  529: "transient",
};

describe("Claude", { skip, timeout }, () => {
  providerContract("claude", () => makeRealProvider("claude"));

  it("goes on with its own session after a restart", async () => {
    await using real = await makeRealProvider("claude");
    const first = await say(real.provider, "my name is Ann");
    await real.provider.close();
    const second = await say(await real.again(), "history", first.continuation);
    assert.match(second.text, /my name is Ann/);
    assert.equal(second.continuation, first.continuation);
  });

  it("keeps its process between turns, and takes another for other instructions", async () => {
    await using real = await makeRealProvider("claude");
    const parent = async (continuation: string | undefined, instructions: string) =>
      await say(real.provider, "shell: ps -o ppid= -p $$", continuation, instructions);
    const first = await parent(undefined, "Be kind.");
    const second = await parent(first.continuation, "Be kind.");
    const third = await parent(first.continuation, "Be brief. This is the end of it.");
    assert.equal(pidIn(second.text), pidIn(first.text));
    assert.notEqual(pidIn(third.text), pidIn(first.text));
    assert.match(real.fake.calls.at(-1)?.system ?? "", /Be brief\. This is the end of it\./);
    assert.match((await say(real.provider, "history", third.continuation, "Be brief.")).text, /ps -o ppid/);
  });

  it("reads in the running turn what comes while a tool runs", async () => {
    await using real = await makeRealProvider("claude");
    const { events, text } = await sayMore(real.provider, "sleep: 1.5", ["and this"], "tool");
    assert.deepEqual(consumed(events), [1, 2]);
    assert.match(text, /You said: and this/);
    assert.equal(real.fake.calls.length, 2);
  });

  it("answers in the same turn what comes while it writes", async () => {
    await using real = await makeRealProvider("claude");
    const { events, text } = await sayMore(real.provider, "slow: 1.5", ["and this", "and that"], "thinking");
    assert.deepEqual(consumed(events), [1, 2, 3]);
    assert.match(text, /You said: slow: 1\.5[\s\S]*You said: and this[\s\S]*You said: and that/);
  });

  it("leaves for the next turn what waits when it is interrupted", async () => {
    await using real = await makeRealProvider("claude");
    const turn = begin(real.provider, "slow: 50");
    const events: ProviderEvent[] = [];
    for await (const event of turn.events) {
      events.push(event);
      if (events.filter(({ kind }) => kind === "thinking").length !== 3) continue;
      turn.push(followUp(2, "too late"));
      await turn.interrupt();
    }
    assert.deepEqual(consumed(events), [1]);
    const continuation = continuationOf(events);
    const next = await say(real.provider, "history", continuation);
    assert.doesNotMatch(next.text, /too late/);
    assert.match(next.text, /slow: 50/);
  });

  it("ends a running command when it is interrupted", async () => {
    await using real = await makeRealProvider("claude");
    const { harness, command } = await endDuringCommand(real, (turn) => turn.interrupt());
    assert.deepEqual([isRunning(harness), isRunning(command)], [true, false]);
  });

  it("leaves no process when it is closed, not even of a running command", async () => {
    await using real = await makeRealProvider("claude");
    const { harness, command } = await endDuringCommand(real, () => real.provider.close());
    assert.deepEqual([isRunning(harness), isRunning(command)], [false, false]);
  });

  it("goes on in a new process when the harness is killed in the middle of a turn", async () => {
    await using real = await makeRealProvider("claude");
    const first = await say(real.provider, "remember me");
    const turn = begin(real.provider, "shell: kill -9 $PPID", first.continuation);
    const last = (await Array.fromAsync(turn.events)).at(-1);
    assert.equal(last?.kind === "failed" && last.class, "transient");
    const next = await say(real.provider, "history", first.continuation);
    assert.match(next.text, /remember me/);
  });

  it("says by the status of the API why a turn failed", async () => {
    const failures = Object.entries(classes).map(async ([status, expected]) => {
      await using real = await makeRealProvider("claude");
      const last = (await Array.fromAsync(begin(real.provider, `fail: ${status}`).events)).at(-1);
      assert.ok(last?.kind === "failed");
      assert.equal(last.class, expected, `status ${status}`);
      assert.match(last.message, /the script asked for status/);
      if (expected === "rateLimited") assert.ok((last.retryAfterMs ?? 0) >= 1_000);
    });
    await Promise.all(failures);
  });

  it("says that a session is lost, and begins a new one then", async () => {
    await using real = await makeRealProvider("claude");
    const unknown = "11111111-2222-4333-8444-555555555555";
    const last = (await Array.fromAsync(begin(real.provider, "hello", unknown).events)).at(-1);
    assert.ok(last?.kind === "failed" && last.continuationLost);
    assert.match((await say(real.provider, "hello")).text, /You said: hello/);
  });

  it("says which credential is missing", async () => {
    await using real = await makeRealProvider("claude", { apis: ["OpenAI"] });
    const last = (await Array.fromAsync(begin(real.provider, "hello").events)).at(-1);
    assert.ok(last?.kind === "failed");
    assert.equal(last.class, "permanent");
    assert.match(last.message, /no Credential that claude can use; .*Anthropic in spec\.credentials/);
  });

  it("keeps what a compaction takes from the model", async () => {
    await using real = await makeRealProvider("claude");
    const first = await say(real.provider, "the cat is called Tom");
    await say(real.provider, "usage: 195000", first.continuation);
    await say(real.provider, "hello again", first.continuation);
    const folder = join(real.workspace, "conversations");
    const [name = "", ...others] = await readdir(folder);
    assert.deepEqual(others, []);
    assert.match(name, /^\d{4}-\d\d-\d\d-\d{6}-[0-9a-f]{8}\.md$/);
    const archive = await readFile(join(folder, name), "utf8");
    assert.match(
      archive,
      /^# Conversation\n\n## In, [\s\S]*the cat is called Tom[\s\S]*## Agent, [\s\S]*You said: the cat/,
    );
    assert.doesNotMatch(archive, /system-reminder/);
  });

  it("has Copepod's tools at hand, and no tool that outlives a turn", async () => {
    await using real = await makeRealProvider("claude");
    await say(real.provider, "send: on my way");
    assert.deepEqual(real.sent, [{ to: "family", text: "on my way" }]);
    const tools = real.fake.calls[0]?.tools ?? [];
    assert.ok(tools.includes("mcp__copepod__send_file"), tools.join());
    assert.deepEqual(
      tools.filter((tool) => /Cron|Monitor|Schedule|Question|Worktree/.test(tool)),
      [],
    );
  });

  it("runs the MCP servers of the group", async () => {
    await using real = await makeRealProvider("claude");
    const script = join(real.agentDir, "notes.mjs");
    await writeFile(script, notesServer);
    const server: McpServer = { kind: "stdio", name: "notes", command: process.execPath, args: [script], env: {} };
    await say(await real.again({ mcpServers: [server] }), "hello");
    const tools = real.fake.calls.at(-1)?.tools ?? [];
    assert.ok(tools.includes("mcp__notes__read"), tools.join());
  });

  it("shows the skills of the group and no others", async () => {
    await using real = await makeRealProvider("claude");
    for (const name of ["greet", "leave"]) await writeSkill(real, name);
    const own = join(real.workspace, "home", ".claude", "skills", "own");
    await mkdir(own, { recursive: true });
    await writeFile(join(own, "SKILL.md"), "---\nname: own\ndescription: Not of the group\n---\n");
    await say(await real.again({ skills: [{ name: "greet", path: join(real.agentDir, "skills", "greet") }] }), "hello");
    const body = JSON.stringify(real.fake.calls.at(-1)?.body);
    assert.match(body, /How to greet/);
    assert.doesNotMatch(body, /How to leave|Not of the group/);
  });

  it("asks for the group's model and effort", async () => {
    await using real = await makeRealProvider("claude", { model: "claude-opus-4-8", effort: "Low" });
    await say(real.provider, "hello");
    const call = real.fake.calls.at(-1);
    assert.deepEqual([call?.model, call?.effort], ["claude-opus-4-8", "low"]);
  });

  it("signs in with a key or as a subscription", async () => {
    for (const subscription of [false, true]) {
      await using real = await makeRealProvider("claude", { subscription });
      await say(real.provider, "hello");
      assert.deepEqual(real.fake.calls.at(-1)?.auth, { authorization: `Bearer ${real.fake.key}` });
    }
  });
});

/** An MCP server with one tool, by hand. */
const notesServer = `
import { createInterface } from "node:readline";
const results = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "notes", version: "1" } },
  "tools/list": { tools: [{ name: "read", description: "Reads", inputSchema: { type: "object" } }] },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
}
`;

const message = (seq: number, text: string): MailboxMessage => ({
  kind: "chat",
  seq,
  trigger: true,
  redelivered: false,
  from: "family",
  sender: "Ann",
  time: 0,
  body: { text },
});

const followUp = (seq: number, text: string) => ({
  seqs: [seq],
  text: formatFollowUp([message(seq, text)], "UTC", []),
});

function begin(provider: Provider, text: string, continuation?: string, instructions = "Be kind."): Turn {
  const prompt = { seqs: [1], text: formatPrompt([message(1, text)], "UTC", []) };
  return provider.start({ prompt, instructions, continuation });
}

async function say(provider: Provider, text: string, continuation?: string, instructions?: string) {
  return toAnswer(await Array.fromAsync(begin(provider, text, continuation, instructions).events));
}

/** Says the other things when an event of that kind has come after the first was read. */
async function sayMore(provider: Provider, first: string, others: readonly string[], when: ProviderEvent["kind"]) {
  const turn = begin(provider, first);
  const events: ProviderEvent[] = [];
  let said = false;
  for await (const event of turn.events) {
    events.push(event);
    if (said || event.kind !== when || consumed(events).length === 0) continue;
    said = true;
    for (const [index, text] of others.entries()) turn.push(followUp(index + 2, text));
  }
  return { events, ...toAnswer(events) };
}

function toAnswer(events: readonly ProviderEvent[]) {
  const last = events.at(-1);
  assert.equal(last?.kind, "result", JSON.stringify(last));
  return { text: last?.kind === "result" ? last.text : "", continuation: continuationOf(events) };
}

const continuationOf = (events: readonly ProviderEvent[]): string | undefined =>
  events.findLast((event) => event.kind === "continuation")?.value;

const consumed = (events: readonly ProviderEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "consumed" ? event.seqs : []));

const pidIn = (text: string): string | undefined => /\d+/.exec(text)?.[0];

/** @returns ids of the harness's process, and of a command that ran in it at the end. */
async function endDuringCommand({ provider, workspace }: RealProvider, end: (turn: Turn) => Promise<void>) {
  const pids = join(workspace, "pids");
  const turn = begin(provider, "shell: echo $PPID $$ > pids; exec sleep 50");
  for await (const { kind } of turn.events) {
    if (kind !== "tool") continue;
    await untilWritten(pids);
    await end(turn);
  }
  const [harness, command] = (await readFile(pids, "utf8")).split(" ").map(Number);
  return { harness, command };
}

/** Waits until a command has written its file. */
async function untilWritten(path: string): Promise<void> {
  while ((await readFile(path, "utf8").catch(() => "")) === "") await delay(probeMs);
}

function isRunning(pid: number | undefined): boolean {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return false;
  }
}

async function writeSkill({ agentDir }: RealProvider, name: string): Promise<void> {
  const folder = join(agentDir, "skills", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "SKILL.md"), `---\nname: ${name}\ndescription: How to ${name}\n---\nSay so.\n`);
}
