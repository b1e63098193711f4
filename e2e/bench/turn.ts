import { type HarnessName, harnessNames } from "@copepod/agent-image/harnesses/harness";
import { harnessGate } from "@copepod/agent-image/providers/testing/real-provider";
import { CopepodError } from "@copepod/core/errors";
import { HarnessSystem } from "../harness/harness-system.ts";
import type { Bench, BenchResult, BenchValues } from "./bench.ts";
import { percentile } from "./queue/load.ts";
import { BareHarness } from "./turn/bare.ts";
import { type TimedTurn, timeTurn } from "./turn/timed-turn.ts";

const hotTurns = 30;
/** The first turns compile and cache; people do not wait for them twice. */
const warmUpTurns = 5;
const budgets: Readonly<Record<string, number>> = { our_share_cold_ms: 150, our_share_resumed_ms: 150 };
const claudeBudgets: Readonly<Record<string, number>> = {
  ...budgets,
  asleep_to_reply_p50_ms: 1_500,
  hot_overhead_p50_ms: 60,
};

export const bench: Bench = {
  summary: "A turn with a real harness, cold, woken and hot, beside the bare harness; the model is a fake.",
  options: {
    provider: { type: "string", default: "claude" },
    rounds: { type: "string", default: "10" },
  },
  run: async (values, { say, signal }) => {
    const { provider, rounds } = parse(values);
    await using harness = await HarnessSystem.start(provider, { idleAfter: "1s" });
    const samples = new Samples();
    say("one round to fill caches …");
    await playRound(harness, "warm-up", new Samples());
    for (let round = 1; round <= rounds && !signal.aborted; round++) {
      say(`round ${round} of ${rounds} …`);
      await playRound(harness, `round-${round}`, samples);
    }
    for (let turn = 0; turn < warmUpTurns; turn++) await timeTurn(harness.system, "hot", `warm-up ${turn}`);
    for (let turn = 0; turn < hotTurns; turn++) {
      samples.add("hot_overhead", withoutModel(harness, await timeTurn(harness.system, "hot", `turn ${turn}`)));
    }
    return judge(provider, { rounds, ...figuresOf(samples) });
  },
};

function parse({ provider, rounds }: BenchValues): { provider: HarnessName; rounds: number } {
  const name = harnessNames.find((known) => known === provider);
  if (!name) throw new CopepodError("invalid", `--provider must be one of ${harnessNames.join(", ")}`);
  const missing = harnessGate(name);
  if (missing !== undefined) throw new CopepodError("invalid", missing);
  if (!/^[1-9]\d{0,3}$/.test(String(rounds))) throw new CopepodError("invalid", "--rounds must be a whole number");
  return { provider: name, rounds: Number(rounds) };
}

/** Bare and ours take turns, so that both meet the same machine. */
async function playRound(harness: HarnessSystem, conversation: string, samples: Samples): Promise<void> {
  await using bare = await BareHarness.create(harness.name, harness.fake);
  samples.add("bare_cold", await bare.timeToRequest("first"));
  const cold = await timeTurn(harness.system, conversation, "hello");
  samples.add("cold", toFirstToken(harness, cold));
  samples.add("bare_resumed", await bare.timeToRequest("resumed"));
  await harness.asleep(cold.session);
  const resumed = await timeTurn(harness.system, conversation, "hello again");
  samples.add("resumed", toFirstToken(harness, resumed));
  samples.add("asleep_to_reply", withoutModel(harness, resumed));
  await harness.asleep(resumed.session);
}

/** The requests of a turn: one agent works at a time. */
const requestsOf = ({ fake }: HarnessSystem, { saidAt, answeredAt }: TimedTurn) =>
  fake.calls.filter(({ arrivedAt }) => arrivedAt > saidAt && arrivedAt < answeredAt);

function toFirstToken(harness: HarnessSystem, turn: TimedTurn): number {
  const arrivedAt = requestsOf(harness, turn)[0]?.arrivedAt;
  if (arrivedAt === undefined) throw new Error("the model was not asked");
  return arrivedAt - turn.saidAt;
}

function withoutModel(harness: HarnessSystem, turn: TimedTurn): number {
  const modelMs = requestsOf(harness, turn).reduce((sum, call) => sum + (call.endedAt ?? 0) - call.arrivedAt, 0);
  return turn.answeredAt - turn.saidAt - modelMs;
}

const measured = ["bare_cold", "cold", "bare_resumed", "resumed", "asleep_to_reply", "hot_overhead"] as const;
type Measured = (typeof measured)[number];

class Samples {
  readonly #values: Record<Measured, number[]> = Object.assign({}, ...measured.map((name) => ({ [name]: [] })));

  add(name: Measured, ms: number): void {
    this.#values[name].push(ms);
  }

  p50(name: Measured): number {
    return percentile(Float64Array.from(this.#values[name]).sort(), 0.5);
  }
}

function figuresOf(samples: Samples): Record<string, number> {
  const p50 = (name: Measured) => samples.p50(name);
  return {
    ...Object.fromEntries(measured.map((name) => [`${name}_p50_ms`, p50(name)])),
    our_share_cold_ms: p50("cold") - p50("bare_cold"),
    our_share_resumed_ms: p50("resumed") - p50("bare_resumed"),
  };
}

function judge(provider: HarnessName, figures: Record<string, number>): BenchResult {
  const most = provider === "claude" ? claudeBudgets : budgets;
  const ok = Object.entries(most).every(([name, budget]) => (figures[name] ?? Infinity) <= budget);
  return { ok, figures, notes: explanations };
}

const explanations = [
  "cold, resumed: from the call that says the message to the first request at the model, for a new session and for one that",
  "is asleep. The fake model answers at once, so this is the first token, too.",
  "bare: from the start of the harness by hand to its first request, in a new conversation and in the last one: `codex exec`,",
  "`opencode run`; for claude the shortest program around the Agent SDK, which is what the provider drives.",
  "our_share: the median of ours less the median of bare. Rounds of both alternate, in the same run, with the same model.",
  "asleep_to_reply, hot_overhead: from the call to the answer in the client's hands, less the time of the model's requests.",
];
