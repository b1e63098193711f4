import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { System, terminalResources } from "../support/system.ts";
import type { Bench } from "./bench.ts";
import { percentile } from "./queue/load.ts";
import { timeTurn } from "./turn/timed-turn.ts";

const conversation = "main";
/** The first turns compile and cache; people do not wait for them twice. */
const warmUpTurns = 20;
const budgets = { row_to_runner_p50_ms: 10, row_to_runner_p95_ms: 50, overhead_p50_ms: 50 };

export const bench: Bench = {
  summary: "A turn in a session that is awake: row → runner, and the whole turn less the provider's own time.",
  options: { turns: { type: "string", default: "300" } },
  run: async ({ turns }, { say }) => {
    await using system = await System.start(terminalResources());
    const count = Number(turns);
    say(`${warmUpTurns} turns to warm up, then ${count} …`);
    for (let turn = 0; turn < warmUpTurns; turn++) await wholeTurn(system, `warm-up ${turn}`);
    const wholeTurns: number[] = [];
    for (let turn = 0; turn < count; turn++) wholeTurns.push(await wholeTurn(system, `turn ${turn}`));
    const whole = Float64Array.from(wholeTurns).sort();
    const toRunner = Float64Array.from(await rowToRunnerTimes(system)).sort();
    const figures = {
      turns: count,
      row_to_runner_p50_ms: percentile(toRunner, 0.5),
      row_to_runner_p95_ms: percentile(toRunner, 0.95),
      overhead_p50_ms: percentile(whole, 0.5),
      overhead_p95_ms: percentile(whole, 0.95),
    };
    const ok = Object.entries(budgets).every(([name, most]) => (figures[name as keyof typeof budgets] ?? most) <= most);
    return { ok, figures, notes: explanations };
  },
};

const explanations = [
  "row_to_runner: from the row's commit (created_at) to the runner's log line “turn begins”; whole milliseconds.",
  "overhead: from the call that sends to the answer in the client's hands. The demo provider answers at once, so nothing",
  "is taken off for it.",
];

/** @returns ms from sending to the answer. */
async function wholeTurn(system: System, text: string): Promise<number> {
  const { saidAt, answeredAt } = await timeTurn(system, conversation, text);
  return answeredAt - saidAt;
}

async function rowToRunnerTimes(system: System): Promise<number[]> {
  const { items } = await system.admin.listMessages({ state: "done", limit: 500 });
  const createdAt = new Map(items.map(({ seq, createdAt: time }) => [seq, time]));
  const session = items[0]?.session.split("/")[1];
  const lines = (await readFile(join(system.home, "logs", `runner-${session}.log`), "utf8")).trim().split("\n");
  return lines
    .map((line): { msg: string; turn: number; time: string | number } => JSON.parse(line))
    .filter(({ msg, turn }) => msg === "turn begins" && createdAt.has(turn))
    .map(({ turn, time }) => new Date(time).getTime() - (createdAt.get(turn) ?? 0));
}
