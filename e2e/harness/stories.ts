import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { harnessNames } from "@copepod/agent-image/harnesses/harness";
import { harnessGate } from "@copepod/agent-image/providers/testing/real-provider";
import { until } from "../support/until.ts";
import { type HarnessSystem, instructions, keyPrefix } from "./harness-system.ts";

export interface Story {
  readonly title: string;
  /** `spec.session` of the agent group. */
  readonly session?: object;
  readonly tell: (harness: HarnessSystem) => Promise<void>;
}

const soonAsleep = { idleAfter: "1s" };

/** The first one is the one that every `npm test` tells. */
export const stories: readonly Story[] = [
  {
    title: "runs a command that writes a file, and the real key is nowhere that the agent could see",
    tell: async (harness) => {
      const answer = await harness.ask("shell: echo made by hand > note.txt; cat note.txt; env");
      assert.match(answer, /made by hand/);
      assert.match(answer, /^COPEPOD_WORKSPACE=/m);
      assert.equal(
        (await harness.filesWith("made by hand")).some((file) => file.endsWith("/note.txt")),
        true,
      );
      assert.ok(harness.fake.calls.length >= 2);
      assert.ok(!answer.includes(keyPrefix));
    },
  },
  {
    title: "sends a message in mid-turn",
    tell: async (harness) => {
      const { id } = await harness.say("send: still looking");
      const texts = await harness.answerTo(id);
      assert.deepEqual([texts.length, texts[0]], [2, "still looking"]);
      assert.match(texts[1] ?? "", /Sent as message \d+/);
    },
  },
  {
    title: "takes a follow-up into the running turn",
    tell: async (harness) => {
      const first = await harness.sayAndWork("sleep: 3");
      const second = await harness.say("and this too");
      await harness.answerTo(second.id);
      const texts = (await harness.lines()).map(({ text }) => text);
      assert.equal(texts.filter((text) => text.includes("and this too")).length, 1, texts.join("\n"));
      assert.equal(await harness.turns(first.session), 1);
      const { items } = await harness.system.admin.listMessages({ session: first.session, state: "done" });
      assert.equal(items.length, 2);
    },
  },
  {
    title: "is stopped in the middle of a command, and goes on with the next message",
    tell: async (harness) => {
      const { id } = await harness.sayAndWork("sleep: 59.125");
      await until("the command runs", async () => await isRunning("sleep 59.125"));
      assert.deepEqual(await harness.stop(), { stopping: true });
      await harness.answerTo(id, 15_000);
      await until("the command has ended", async () => !(await isRunning("sleep 59.125")), 15_000);
      assert.match(await harness.ask("still there?"), /You said: still there\?/);
      assert.match(await harness.ask("history"), /- sleep: 59\.125\n- still there\?/);
    },
  },
  {
    title: "remembers over sleep and wake",
    session: soonAsleep,
    tell: async (harness) => {
      const { id, session } = await harness.say("the tide is high");
      await harness.answerTo(id);
      await harness.asleep(session);
      assert.match(await harness.ask("history"), /- the tide is high/);
    },
  },
  {
    title: "survives kill -9 in the middle of a turn: one answer, nothing lost, the same conversation",
    tell: async (harness) => {
      await harness.ask("the tide is low");
      const { id } = await harness.sayAndWork("sleep: 2");
      assert.ok((await harness.system.kill("runner")) >= 1);
      const texts = await harness.answerTo(id, 60_000);
      assert.equal(texts.length, 1, texts.join("\n"));
      assert.match(await harness.ask("history"), /- the tide is low/);
      const { items } = await harness.system.admin.listMessages({ state: "dead" });
      assert.deepEqual(items, []);
    },
  },
  {
    title: "is counted: requests and tokens",
    tell: async (harness) => {
      await harness.ask("usage: 4321");
      const sum = await until(
        "the usage is known",
        async () => (await harness.system.admin.usage({ by: "group" })).items[0],
      );
      assert.equal(sum.key, "helper");
      assert.ok(sum.requests >= 1 && sum.inputTokens >= 4_321 && sum.outputTokens > 0, JSON.stringify(sum));
    },
  },
  {
    title: "goes on while its key is changed",
    tell: async (harness) => {
      await harness.ask("hello");
      await harness.rotateKey({ tell: true });
      assert.match(await harness.ask("and now?"), /You said: and now\?/);
    },
  },
  {
    title: "tells that its key is refused, and works again with the right one",
    tell: async (harness) => {
      await harness.rotateKey({ tell: false });
      await harness.say("hello");
      const told = await until("the person is told", async () =>
        (await harness.lines()).find(({ from }) => from === "system"),
      );
      assert.match(told.text, /\b(key|credential|sign|log)/i);
      assert.ok(!told.text.includes(keyPrefix));
      await harness.tellKey();
      assert.match(await harness.ask("and now?"), /You said: and now\?/);
    },
  },
  {
    title: "keeps its memory and instructions when its provider is changed, and each provider its conversation",
    tell: async (harness) => {
      const other = harnessNames.find((name) => name !== harness.name && installed(name)) ?? harness.name;
      await harness.ask(
        'shell: mkdir -p "$COPEPOD_AGENT_DIR/memory" && echo "- crabs bite" >> "$COPEPOD_AGENT_DIR/memory/index.md"',
      );
      await harness.changeProvider(other);
      await until("the other provider answers", async () => {
        await harness.ask("hello");
        return harness.fake.calls.at(-1)?.model !== harness.fake.calls[0]?.model || other === harness.name;
      });
      const system = harness.fake.calls.at(-1)?.system ?? "";
      assert.ok(system.includes(instructions));
      assert.match(system, /crabs bite/);
      await harness.changeProvider(harness.name);
      const first = harness.fake.calls[0]?.model;
      await until("the first provider answers", async () => {
        await harness.ask("hello again");
        return harness.fake.calls.at(-1)?.model === first;
      });
      assert.match(await harness.ask("history"), /- shell: mkdir/);
    },
  },
];

function installed(name: (typeof harnessNames)[number]): boolean {
  return harnessGate(name) === undefined;
}

/** Looks for a command among all processes: those of a sandbox are ours too. */
async function isRunning(command: string): Promise<boolean> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")));
  return lines.some((line) => line.replaceAll("\0", " ").trim() === command);
}
