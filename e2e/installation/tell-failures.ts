import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { containers, labels } from "@copepod/core/cluster";
import { type ChatRecord, check, numbered } from "../bench/kill/checker.ts";
import { processesOf } from "../cluster/testing/footprint.ts";
import { terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";
import type { Cannot } from "./cannot.ts";
import { ClusterSystem } from "./cluster-system.ts";
import { agentsNamespace, type Installation, patienceMs, type SeenPod } from "./installation.ts";

const chats = 5;
const messagesPerChat = 40;
/** Between two steps of a sweep over the moment of sleep. */
const stepMs = 50;
const sweepFromMs = 900;
const sweepSteps = 36;
const wakers = 50;
/** A refusal has to be told this soon. */
const toldWithinMs = 1_000;

const pause = async (ms: number) => await new Promise((resolve) => setTimeout(resolve, ms));

/** What is killed, refused or missing costs no message, and is told. */
export function tellFailures(its: () => Installation, { killNode }: Cannot): void {
  const start = (session: object = {}) => ClusterSystem.start(its(), terminalResources(session));

  describe("while parts of it are killed", () => {
    it("answers 200 numbered messages of 5 sessions, each once and in order", { timeout: 900_000 }, async (t) => {
      await using system = await start();
      const kills = killsOf(its(), killNode === undefined);
      let said = 0;
      const afterEach = async () => {
        said += 1;
        const kill = said % killEvery === 0 ? kills.shift() : undefined;
        if (kill) t.diagnostic(`after ${said} messages: ${kill.what}`);
        await kill?.act();
      };
      const chatNames = Array.from({ length: chats }, (_, index) => `chat-${index}`);
      const records = chatNames.map((chat) => sayNumbers(system, chat, afterEach));
      const verdict = check(await Promise.all(records));
      assert.deepEqual(kills, []);
      assert.deepEqual(verdict.faults, []);
      assert.equal(verdict.messages, chats * messagesPerChat);
    });
  });

  describe("a message in the very moment of sleep", () => {
    it(`is answered, in ${sweepSteps} steps of ${stepMs} ms`, { timeout: 600_000 }, async () => {
      await using system = await start({ idleAfter: "1s", maxRunning: 20 });
      const steps = Array.from({ length: sweepSteps }, (_, step) => step);
      const lanes = Array.from({ length: 6 }, async (_, lane) => {
        for (const step of steps.filter((one) => one % 6 === lane)) {
          const chat = `sleeper-${lane}`;
          await system.ask(chat, `first of ${step}`);
          await pause(sweepFromMs + step * stepMs);
          assert.match(await system.ask(chat, `second of ${step}`), new RegExp(`second of ${step}`));
        }
      });
      await Promise.all(lanes);
    });
  });

  describe("a wake", () => {
    it(`asked for by ${wakers} messages at once makes one pod`, async () => {
      await using system = await start();
      const said = await Promise.all(
        Array.from({ length: wakers }, async (_, index) => await system.say("herd", `message ${index}.`)),
      );
      for (const { id } of said) await system.answerTo("herd", id);
      const [session] = (await system.sessions()).filter(({ name }) => name === said[0]?.session);
      assert.equal(session?.epoch, 1);
    });

    it("that a quota refuses is told within a second, by name", async () => {
      const installation = its();
      await using system = await start();
      const quota = {
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "none" },
        spec: { hard: { pods: "0" } },
      };
      await installation.apply([quota]);
      try {
        await until("the quota counts", async () => {
          const args = [
            "get",
            "resourcequota",
            "none",
            `--namespace=${agentsNamespace}`,
            "--output=jsonpath={.status.hard.pods}",
          ];
          return (await installation.ask(...args)) === "0";
        });
        await system.say("main", "hello");
        const told = await toldIn(system, "main", toldWithinMs);
        assert.match(told, /quota/i);
      } finally {
        await installation.ask("delete", "resourcequota", "none", `--namespace=${agentsNamespace}`);
      }
    });

    it("whose image is missing is told, and backs off", { timeout: 300_000 }, async () => {
      const [group, ...others] = terminalResources();
      const spec = { agent: { image: "localhost/copepod/nothing:1" } };
      await using system = await ClusterSystem.start(its(), [{ ...group, spec }, ...others]);
      const { session } = await system.say("main", "hello");
      assert.match(await toldIn(system, "main", patienceMs), /image/i);
      await until(
        "the pod is gone and the session waits",
        async () => {
          const row = (await system.sessions()).find(({ name }) => name === session);
          const pods = await its().pods(agentsNamespace, `${labels.session}=${session}`);
          return pods.length === 0 && row?.phase !== "Awake" && row?.reason?.match(/image/i);
        },
        patienceMs * 2,
      );
    });

    it("whose volume was deleted is refused, and not given an empty one in silence", { timeout: 300_000 }, async () => {
      const installation = its();
      const resources = terminalResources({ idleAfter: "1s" });
      await using system = await ClusterSystem.start(installation, resources);
      await system.ask("main", "remember the tide is high");
      await until("the session sleeps", async () => !(await system.hasPod()), patienceMs);
      const claim = ["pvc", "copepod-group-helper", `--namespace=${agentsNamespace}`];
      await installation.ask("delete", ...claim);
      await system.say("main", "recall");
      assert.match(await toldIn(system, "main", patienceMs), /volume/i);
    });

    it("goes on after somebody deleted the Session in the middle of a turn", async () => {
      const installation = its();
      await using system = await start();
      const { id, session } = await system.say("main", "wait 3");
      await until("the pod is there", async () => await system.hasPod(), patienceMs);
      await installation.ask("delete", "sessions.copepod.dev", session, `--namespace=${agentsNamespace}`);
      assert.equal((await system.answerTo("main", id)).length, 1);
    });
  });
}

async function sayNumbers(system: ClusterSystem, chat: string, afterEach: () => Promise<void>): Promise<ChatRecord> {
  let last = "";
  for (let number = 1; number <= messagesPerChat; number++) {
    last = (await system.say(chat, numbered(chat, number))).id;
    await afterEach();
  }
  await system.answerTo(chat, last, answersWithinMs);
  const lines = (await system.lines(chat)).filter(({ from }) => from === "agent");
  return { chat, said: messagesPerChat, answers: lines.map(({ text }) => text) };
}

const killEvery = 30;
const answersWithinMs = 300_000;

interface Kill {
  readonly what: string;
  readonly act: () => Promise<void>;
}

function killsOf(installation: Installation, ofNodes: boolean): Kill[] {
  const ofSystem = (component: "router" | "operator") => ({
    what: `kill -9 of the ${component}`,
    act: async () => {
      const [pod] = await installation.systemPods(component);
      if (pod) await installation.killContainerOf(pod, component);
    },
  });
  const ofSession = (container: string) => ({
    what: `kill -9 of a session's ${container}`,
    act: async () => {
      const pod = await until(
        "a session's pod runs",
        async () => (await installation.sessionPods()).find(runs),
        patienceMs,
      );
      await installation.killContainerOf(pod, container);
    },
  });
  const ofNode = (program: string) => ({
    what: `kill -9 of ${program}`,
    act: async () => {
      const [pid] = await processesOf(installation.stage.name, program);
      assert.ok(pid, `${program} runs`);
      process.kill(pid, "SIGKILL");
    },
  });
  return [
    ofSystem("router"),
    ofSystem("operator"),
    ofSession(containers.proxy),
    ofSession(containers.agent),
    ...(ofNodes ? [ofNode("kubelet"), ofNode("kube-apiserver")] : []),
  ];
}

const runs = ({ metadata, status }: SeenPod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.containerStatuses.length > 1 &&
  status.containerStatuses.every(({ state }) => state.running !== undefined);

/** Waits for a sentence of Copepod's own in a conversation. */
async function toldIn(system: ClusterSystem, conversation: string, withinMs: number): Promise<string> {
  const told = async () => (await system.lines(conversation)).find(({ from }) => from === "system")?.text;
  return await until("the person is told", told, withinMs);
}
