import { harnessNames } from "@copepod/agent-image/harnesses/harness";
import { harnessGate } from "@copepod/agent-image/providers/testing/real-provider";
import { CopepodError } from "@copepod/core/errors";
import type { Bench, BenchContext, BenchResult, BenchValues } from "./bench.ts";
import { runHarnessKills } from "./kill/harness.ts";
import { type KillReport, runKills } from "./kill/run.ts";
import { percentile } from "./queue/load.ts";

const quietMs = 180_000;
/** From a kill to the answer, with a real harness. */
const maxRecoveryMs = 5_000;

export const bench: Bench = {
  summary: "Kills programs while messages flow, or the runner of a real harness in mid-turn; nothing may be lost.",
  options: {
    kills: { type: "string", default: "1000" },
    seed: { type: "string", default: "7" },
    provider: { type: "string", default: "demo" },
  },
  run,
};

async function run(values: BenchValues, context: BenchContext): Promise<BenchResult> {
  const { say, signal } = context;
  if (values.provider !== "demo") return await runWithHarness(values, context);
  const options = { kills: whole(values.kills, "kills"), seed: whole(values.seed, "seed"), quietMs, say, signal };
  const report = await runKills(options);
  return { ok: report.ok, figures: figuresOf(report), notes: notesOf(report, options.seed) };
}

async function runWithHarness(values: BenchValues, { say, signal }: BenchContext): Promise<BenchResult> {
  const provider = harnessNames.find((known) => known === values.provider);
  if (!provider) throw new CopepodError("invalid", `--provider must be one of demo, ${harnessNames.join(", ")}`);
  const missing = harnessGate(provider);
  if (missing !== undefined) throw new CopepodError("invalid", missing);
  const { recoveries, faults, ...counts } = await runHarnessKills({
    provider,
    kills: whole(values.kills, "kills"),
    say,
    signal,
  });
  const figures = {
    ...counts,
    kill_to_answer_p50_ms: percentile(recoveries, 0.5),
    kill_to_answer_max_ms: percentile(recoveries, 1),
  };
  const ok = counts.lost + counts.doubled + faults.length === 0 && figures.kill_to_answer_p50_ms <= maxRecoveryMs;
  return { ok, figures, notes: [...harnessNotes, ...faults] };
}

const harnessNotes = [
  "kill_to_answer: from SIGKILL of the runner to the answer in the client's hands. The turn is run again as a whole: with",
  "its command or its slow answer, of one second each, in two of three turns.",
];

function whole(value: BenchValues[string], name: string): number {
  if (typeof value === "string" && /^\d{1,9}$/.test(value)) return Number(value);
  throw new CopepodError("invalid", `--${name} must be a whole number`);
}

function figuresOf({ kills, killed, verdict, queue, seconds }: KillReport): BenchResult["figures"] {
  return {
    kills,
    router_kills: killed.router,
    proxy_kills: killed.proxy,
    runner_kills: killed.runner,
    host_kills: killed.host,
    messages: verdict.messages,
    lost: verdict.lost,
    duplicated: verdict.duplicated,
    out_of_order: verdict.outOfOrder,
    misplaced: verdict.misplaced,
    integrity: queue.integrity,
    open: queue.open,
    dead: queue.dead,
    seconds: Math.round(seconds),
  };
}

function notesOf({ folder, verdict, queue }: KillReport, seed: number): string[] {
  const meaning =
    "duplicated: a message's answer shown more than once in its chat (each message is quoted in one answer)";
  if (folder === undefined) return [meaning];
  return [meaning, `seed ${seed}; the folder is kept: ${folder}`, ...verdict.faults.slice(0, 50), ...queue.rows];
}
