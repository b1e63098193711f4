import { containers, podNameOf } from "@copepod/core/cluster";
import { z } from "zod";
import type { ClusterSystem } from "../../installation/cluster-system.ts";
import { agentsNamespace, type Installation, patienceMs } from "../../installation/installation.ts";
import { until } from "../../support/until.ts";
import type { Sightings, Watcher } from "./watcher.ts";

export interface Stage {
  readonly installation: Installation;
  readonly system: ClusterSystem;
  readonly watcher: Watcher;
}

/** UTC milliseconds of one wake and the sleep after it. */
export interface Wake extends Required<Sightings> {
  readonly row: number;
  readonly lease: number;
  readonly reply: number;
}

const logLine = z.looseObject({ msg: z.string(), time: z.union([z.string(), z.number()]) });

/** Wakes a sleeping session by a message, waits for the answer, and until the session sleeps again. */
export async function wakeOnce({ installation, system, watcher }: Stage, conversation: string): Promise<Wake> {
  const { id, session } = await system.say(conversation, "hello");
  await system.answerTo(conversation, id);
  const rows = await system.messages(session, "done");
  const row = rows.find((one) => one.id === id)?.createdAt ?? Number.NaN;
  const epoch = (await system.sessions()).find(({ name }) => name === session)?.epoch ?? Number.NaN;
  const pod = podNameOf(session, epoch);
  const lease = await firstLease(installation, pod);
  const reply = (await system.lines(conversation)).find(({ inReplyTo }) => inReplyTo === id)?.time ?? Number.NaN;
  const sightings = watcher.of(pod);
  await until("the pod is gone", () => sightings.gone !== undefined, patienceMs);
  return { ...complete(sightings), row, lease, reply };
}

/** When the runner began the turn, which it does with the rows in its hands. The kubelet tells later than the answer comes. */
async function firstLease(installation: Installation, pod: string): Promise<number> {
  const args = ["logs", pod, `--namespace=${agentsNamespace}`, `--container=${containers.agent}`];
  const begun = await until(`the log of ${pod} tells of a turn`, async () => {
    const lines = (await installation.kubectl(args)).output.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => logLine.parse(JSON.parse(line))).find(({ msg }) => msg === "turn begins");
  });
  return new Date(begun.time).getTime();
}

/** What no watch told of is not a number, and so within no budget. */
function complete(sightings: Sightings): Required<Sightings> {
  const never = Number.NaN;
  const { wanted = never, created = never, scheduled = never, started = never } = sightings;
  const { ready = never, unwanted = never, gone = never } = sightings;
  return { wanted, created, scheduled, started, ready, unwanted, gone };
}

/** @returns seconds from before the first message until the last of all first leases. */
export async function burst({ installation, system }: Stage, count: number): Promise<number> {
  const conversations = Array.from({ length: count }, (_, index) => `burst-${index}`);
  const began = Date.now();
  const leases = await Promise.all(
    conversations.map(async (conversation) => {
      const { id, session } = await system.say(conversation, "hello");
      await system.answerTo(conversation, id);
      const epoch = (await system.sessions()).find(({ name }) => name === session)?.epoch ?? Number.NaN;
      return await firstLease(installation, podNameOf(session, epoch));
    }),
  );
  return (Math.max(...leases) - began) / 1_000;
}
