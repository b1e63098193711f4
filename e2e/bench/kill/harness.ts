import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import { HarnessSystem } from "../../harness/harness-system.ts";
import { until } from "../../support/until.ts";

export interface HarnessKillOptions {
  readonly provider: HarnessName;
  readonly kills: number;
  say(line: string): void;
  readonly signal: AbortSignal;
}

export interface HarnessKillReport {
  readonly kills: number;
  /** Messages without an answer. */
  readonly lost: number;
  /** Messages with more than one. */
  readonly doubled: number;
  /** Milliseconds from each kill to the answer in the client's hands, sorted. */
  readonly recoveries: Float64Array;
  /** What went wrong, in words. */
  readonly faults: readonly string[];
}

/** What the agent does when it is killed, for about as long as the kill needs to find it there. */
const moments = [
  { doing: "waits for the model", text: "hello" },
  { doing: "hears the model", text: "slow: 1" },
  { doing: "runs a command", text: "sleep: 1" },
] as const;
type Moment = (typeof moments)[number];

const answerMs = 120_000;

/** Kills the runner of one session in the middle of turn after turn, each time while it does something else. */
export async function runHarnessKills(options: HarnessKillOptions): Promise<HarnessKillReport> {
  const { provider, kills, say, signal } = options;
  await using harness = await HarnessSystem.start(provider);
  await harness.ask("the first turn");
  const recoveries: number[] = [];
  const ids: string[] = [];
  for (let kill = 0; kill < kills && !signal.aborted; kill++) {
    const moment = moments[kill % moments.length] ?? moments[0];
    const { id, recoveryMs } = await killOnce(harness, moment);
    say(`kill ${kill + 1} of ${kills}, while it ${moment.doing}: answered after ${Math.round(recoveryMs)} ms`);
    ids.push(id);
    recoveries.push(recoveryMs);
  }
  await harness.ask("the last turn");
  const lines = await harness.lines();
  const counts = ids.map((id) => lines.filter(({ inReplyTo, from }) => inReplyTo === id && from === "agent").length);
  return {
    kills: ids.length,
    lost: counts.filter((count) => count === 0).length,
    doubled: counts.filter((count) => count > 1).length,
    recoveries: Float64Array.from(recoveries).sort(),
    faults: lines.filter(({ from }) => from === "system").map(({ text }) => text),
  };
}

async function killOnce(harness: HarnessSystem, { doing, text }: Moment): Promise<{ id: string; recoveryMs: number }> {
  const release = doing === "waits for the model" ? harness.fake.hold() : () => undefined;
  const before = harness.fake.calls.length;
  const { id } = await harness.say(text);
  await until(`the agent ${doing}`, () => {
    const call = harness.fake.calls[before];
    if (doing === "waits for the model") return call !== undefined;
    return doing === "hears the model" ? call?.firstTokenAt !== undefined : call?.endedAt !== undefined;
  });
  const killedAt = performance.now();
  await harness.system.kill("runner");
  release();
  await harness.answerTo(id, answerMs);
  return { id, recoveryMs: performance.now() - killedAt };
}
