import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { FailureClass } from "@copepod/core/messages";
import { defaultHarnessesDir, harnessFolder } from "../../harnesses/harness.ts";
import { providerContract } from "../provider.contract.ts";
import type { Provider, ProviderEvent, Turn, TurnInput } from "../provider.ts";
import { bareDeps } from "../testing/bare-deps.ts";
import { startFakeModel } from "../testing/model/server.ts";
import {
  harnessGate,
  makeRealProvider,
  type RealProvider,
  type RealProviderOptions,
} from "../testing/real-provider.ts";
import { createCodex } from "./codex.ts";

const gate = harnessGate("codex");
const timeoutMs = 60_000;

/** Codex offers its tools in a form of its own to models that it knows; the fake model speaks the common one. */
const defaults: RealProviderOptions = { apis: ["OpenAI"], model: "a-model" };

const make = (options: RealProviderOptions = {}): Promise<RealProvider> =>
  makeRealProvider("codex", { ...defaults, ...options });

if (gate === undefined) providerContract("codex", () => make());

describe("codex", { skip: gate ?? false, timeout: timeoutMs }, () => {
  it("goes on with the conversation in a new process, with the model's name and effort that count now", async () => {
    await using made = await make();
    const first = await ask(made.provider, "the word is heron");
    await made.provider.close();
    const again = await made.again({ model: "another-model", effort: "High" });
    const second = await ask(again, "history", { continuation: first.continuation });
    assert.equal(second.continuation, first.continuation);
    assert.match(second.text, /the word is heron/);
    assert.deepEqual(lastCall(made), { model: "another-model", effort: "high" });
    await again.close();
    const third = await ask(await made.again({ model: "a-model", effort: "Low" }), "hello", first);
    assert.equal(third.text, "You said: hello");
    assert.deepEqual(lastCall(made), { model: "a-model", effort: "low" });
  });

  it("tells when a conversation is lost", async () => {
    await using made = await make();
    for (const continuation of ["01a212e1-099d-7193-8b28-a01fc81ccbe5", "damaged"]) {
      const { end } = await ask(made.provider, "hello", { continuation });
      assert.ok(end.kind === "failed" && end.continuationLost, JSON.stringify(end));
      assert.equal(end.class, "transient");
    }
    assert.equal((await ask(made.provider, "hello")).text, "You said: hello");
  });

  it("shows a follow-up to the model while a command runs, in the same turn", async () => {
    await using made = await make();
    const turn = start(made.provider, "shell: sleep 1; echo done");
    let pushed = false;
    const events = await collect(turn, (event) => {
      if (event.kind !== "tool" || pushed) return;
      pushed = true;
      turn.push({ seqs: [2], text: message("and this") });
    });
    assert.deepEqual(consumedIn(events), [1, 2]);
    assert.match(resultOf(events), /done[\s\S]*You said: and this/);
    assert.equal(made.fake.calls.length, 2);
  });

  it("shows a follow-up to the model while it is busy, in the same turn", async () => {
    await using made = await make();
    const release = made.fake.hold();
    const turn = start(made.provider, "first");
    const events = await collect(turn, (event) => {
      if (event.kind !== "consumed") return;
      if (event.seqs.includes(1)) turn.push({ seqs: [2], text: message("second") });
      release();
    });
    assert.deepEqual(consumedIn(events), [1, 2]);
    assert.match(resultOf(events), /You said: first[\s\S]*You said: second/);
  });

  const failures: [number, FailureClass][] = [
    [400, "permanent"],
    [401, "auth"],
    [403, "auth"],
    [404, "permanent"],
    [429, "rateLimited"],
    [500, "transient"],
    [503, "transient"],
  ];
  for (const [status, expected] of failures) {
    it(`calls status ${status} of the model ${expected}, and works again afterwards`, async () => {
      await using made = await make();
      const { end, continuation } = await ask(made.provider, `fail: ${status}`);
      assert.equal(end.kind === "failed" && end.class, expected, JSON.stringify(end));
      assert.equal((await ask(made.provider, "hello", { continuation })).text, "You said: hello");
    });
  }

  it("says what to do without a credential for an OpenAI API", async () => {
    await using made = await make({ apis: ["Anthropic"] });
    const { end } = await ask(made.provider, "hello");
    assert.ok(end.kind === "failed" && end.class === "permanent" && end.message.includes("spec.credentials"));
  });

  it("says that it is not installed for this machine", async () => {
    await using made = await make();
    const upstream = { name: "openai", api: "OpenAI", placeholder: "x", subscription: false, baseUrl: "x" } as const;
    const provider = await createCodex({ ...bareDeps(made.workspace), upstreams: [upstream] });
    const { end } = await ask(provider, "hello");
    assert.ok(end.kind === "failed" && end.class === "permanent" && end.message.includes("not installed"));
  });

  it("ends the running command when it is interrupted, and gives back the follow-up that was not read", async () => {
    await using made = await make();
    const first = await ask(made.provider, "hello");
    const turn = start(made.provider, `shell: echo $$ > pid; sleep 60 & wait`, first);
    let pid = 0;
    const events = await collect(turn, async (event) => {
      if (event.kind !== "tool" || pid > 0) return;
      turn.push({ seqs: [2], text: message("unread") });
      pid = await readPid(join(made.workspace, "pid"));
      await turn.interrupt();
    });
    assert.equal(events.at(-1)?.kind, "failed");
    assert.deepEqual(consumedIn(events), [1]);
    await until(() => !isAlive(pid));
    const after = await ask(made.provider, "history", first);
    assert.match(after.text, /hello/);
    assert.doesNotMatch(after.text, /unread/);
  });

  it("survives kill -9 of its process in a turn, and goes on in a new one", async () => {
    await using made = await make();
    const first = await ask(made.provider, "the word is heron");
    const turn = start(made.provider, "shell: echo $PPID > server; echo $$ > pid; sleep 60", first);
    let killed = false;
    const events = await collect(turn, async (event) => {
      if (event.kind !== "tool" || killed) return;
      killed = true;
      process.kill(await readPid(join(made.workspace, "server")), "SIGKILL");
    });
    const last = events.at(-1);
    assert.equal(last?.kind === "failed" && last.class, "transient");
    const pid = await readPid(join(made.workspace, "pid"));
    await until(() => !isAlive(pid));
    assert.match((await ask(made.provider, "history", first)).text, /the word is heron/);
  });

  it("leaves neither its process nor a command when it is closed", async () => {
    await using made = await make();
    const turn = start(made.provider, "shell: echo $PPID > server; echo $$ > pid; sleep 60");
    let pids: number[] = [];
    await collect(turn, async (event) => {
      if (event.kind !== "tool" || pids.length > 0) return;
      pids = await Promise.all(["server", "pid"].map((name) => readPid(join(made.workspace, name))));
      await made.provider.close();
    });
    assert.equal(pids.length, 2);
    await until(() => !pids.some(isAlive));
  });

  it("calls Copepod's tools, and offers those of the agent group's servers", async () => {
    await using made = await make();
    const script = join(made.workspace, "herons.mjs");
    await writeFile(script, stdioServer);
    const herons = { kind: "stdio" as const, name: "herons", command: process.execPath, args: [script] };
    await made.provider.close();
    const env = { TOOL: 'count "herons"' };
    const provider = await made.again({ ...defaults, mcpServers: [{ ...herons, env }] });
    const { text } = await ask(provider, "send: on my way");
    assert.deepEqual(made.sent, [{ to: "family", text: "on my way" }]);
    assert.doesNotMatch(text, /No tool/);
    const tools = made.fake.calls.at(-1)?.tools ?? [];
    assert.ok(tools.includes("mcp__copepod__send_file") && tools.includes("mcp__herons__count"), tools.join());
  });

  it("shows the group's skills, and no others", async () => {
    await using made = await make();
    const skill = join(made.agentDir, "skills", "herons");
    await mkdir(skill, { recursive: true });
    await writeFile(join(skill, "SKILL.md"), "---\nname: herons\ndescription: all about herons\n---\nThey wade.\n");
    const provider = await made.again({ ...defaults, skills: [{ name: "herons", path: skill }] });
    await ask(provider, "hello");
    const { system } = made.fake.calls.at(-1) ?? {};
    assert.match(system ?? "", /all about herons/);

    await provider.close();
    await ask(await made.again(), "hello");
    assert.doesNotMatch(made.fake.calls.at(-1)?.system ?? "", /all about herons/);
  });

  for (const model of ["a-model", undefined]) {
    it(`tells the model changed instructions once (model: ${model ?? "the default"})`, async () => {
      await using made = await make({ model });
      const first = await ask(made.provider, "hello", { instructions: "Rule one." });
      const second = await ask(made.provider, "hello", { ...first, instructions: "Rule one." });
      assert.deepEqual(rulesIn(made), ["one"]);
      const third = await ask(made.provider, "hello", { ...second, instructions: "Rule two." });
      assert.deepEqual(rulesIn(made), ["one", "two"]);
      await made.provider.close();
      const again = await made.again();
      const fourth = await ask(again, "hello", { ...third, instructions: "Rule two." });
      assert.deepEqual(rulesIn(made), ["one", "two"]);
      await ask(again, "hello", { ...fourth, instructions: "Rule three." });
      assert.deepEqual(rulesIn(made), ["one", "two", "three"]);
    });
  }

  it("goes on after a compaction, with the instructions that count", async () => {
    await using made = await make();
    const first = await ask(made.provider, "the word is heron", { instructions: "Rule one." });
    const second = await ask(made.provider, "usage: 1000000", { ...first, instructions: "Rule two." });
    const third = await ask(made.provider, "history", { ...second, instructions: "Rule two." });
    assert.equal(made.fake.calls.length, 4);
    assert.match(third.text, /the word is heron/);
    assert.deepEqual(rulesIn(made), ["two"]);
  });

  it("calls nothing but the model, at its base URL", async () => {
    await using made = await make();
    await using elsewhere = await startFakeModel({ key: "none" });
    const [upstream] = [{ name: "openai", api: "OpenAI", placeholder: made.fake.key, subscription: false } as const];
    const provider = await createCodex({
      ...bareDeps(made.workspace),
      env: {
        PATH: process.env.PATH ?? "",
        HTTP_PROXY: elsewhere.url,
        HTTPS_PROXY: elsewhere.url,
        NO_PROXY: "127.0.0.1",
      },
      upstreams: [{ ...upstream, baseUrl: `${made.fake.url}/v1` }],
      harnessDir: harnessFolder(defaultHarnessesDir(process.env, homedir()), "codex"),
    });
    assert.equal((await ask(provider, "hello")).text, "You said: hello");
    await provider.close();
    assert.deepEqual(
      new Set(made.fake.journal.map(({ method, path }) => `${method} ${path}`)),
      new Set(["POST /v1/responses"]),
    );
    assert.deepEqual([elsewhere.journal, made.fake.upgrades], [[], 0]);
  });
});

/** An MCP server with one tool, whose name comes from its environment. */
const stdioServer = `
import { createInterface } from "node:readline";
const name = process.env.TOOL.split(" ")[0];
const results = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "herons", version: "1" } },
  "tools/list": { tools: [{ name, description: "Counts herons.", inputSchema: { type: "object", properties: {} } }] },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
}
`;

interface Asked extends Partial<Pick<TurnInput, "instructions" | "continuation">> {}

const message = (text: string): string => `<message seq="1" from="family" time="now">${text}</message>`;

function start(provider: Provider, text: string, { instructions = "Be brief.", continuation }: Asked = {}): Turn {
  const prompt = { seqs: [1], text: `<context timezone="UTC" />\n${message(text)}` };
  return provider.start({ prompt, instructions, continuation });
}

async function ask(provider: Provider, text: string, asked: Asked = {}) {
  const events = await collect(start(provider, text, asked));
  const end = events.at(-1);
  assert.ok(end);
  const continuation = events.findLast((event) => event.kind === "continuation")?.value;
  const answer = end.kind === "result" ? end.text.replaceAll(/<message to="family">|<\/message>/g, "") : "";
  return { end, continuation, text: answer };
}

async function collect(turn: Turn, onEvent?: (event: ProviderEvent) => void | Promise<void>): Promise<ProviderEvent[]> {
  const events: ProviderEvent[] = [];
  for await (const event of turn.events) {
    events.push(event);
    await onEvent?.(event);
  }
  return events;
}

const consumedIn = (events: readonly ProviderEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "consumed" ? event.seqs : []));

function resultOf(events: readonly ProviderEvent[]): string {
  const last = events.at(-1);
  return last?.kind === "result" ? last.text : JSON.stringify(last);
}

function lastCall({ fake }: RealProvider) {
  const { model, effort } = fake.calls.at(-1) ?? {};
  return { model, effort };
}

const rulesIn = ({ fake }: RealProvider): string[] =>
  [...(fake.calls.at(-1)?.system.matchAll(/Rule (\w+)\./g) ?? [])].map(([, rule = ""]) => rule);

async function readPid(path: string): Promise<number> {
  let pid = 0;
  await until(async () => {
    pid = Number(await readFile(path, "utf8").catch(() => ""));
    return pid > 0;
  });
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    assert.ok(tries < 200, "the condition was not met in time");
    await delay(20);
  }
}
