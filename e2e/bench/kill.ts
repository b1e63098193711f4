import { CopepodError } from "@copepod/core/errors";
import type { Bench, BenchContext, BenchResult, BenchValues } from "./bench.ts";
import { type KillReport, runKills } from "./kill/run.ts";

const quietMs = 180_000;

export const bench: Bench = {
  summary: "Kills router, proxies, runners and adapter hosts while numbered messages flow; nothing may be lost.",
  options: { kills: { type: "string", default: "1000" }, seed: { type: "string", default: "7" } },
  run,
};

async function run(values: BenchValues, { say, signal }: BenchContext): Promise<BenchResult> {
  const options = { kills: whole(values.kills, "kills"), seed: whole(values.seed, "seed"), quietMs, say, signal };
  const report = await runKills(options);
  return { ok: report.ok, figures: figuresOf(report), notes: notesOf(report, options.seed) };
}

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
