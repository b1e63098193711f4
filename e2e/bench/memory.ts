import { readFileSync } from "node:fs";
import type { Program } from "../support/processes.ts";
import { System, terminalResources } from "../support/system.ts";
import type { Bench } from "./bench.ts";

const kibiPerMebi = 1_024;

export const bench: Bench = {
  summary: "Memory (PSS) of router, proxy and runner at the second start: after an answer, and after many.",
  options: { turns: { type: "string", default: "100" } },
  run: async ({ turns }, { say }) => {
    await using system = await System.start(terminalResources());
    // The first end of each program fills its compile cache; all later starts use it.
    await system.ask("main", "hello");
    await system.end("SIGTERM");
    await system.up();
    await system.ask("main", "hello again");
    const idle = await pssOf(system);
    say(`${turns} turns …`);
    for (let turn = 0; turn < Number(turns); turn++) await system.ask("main", `turn ${turn}`);
    const used = await pssOf(system);
    const figures: Record<string, number> = { turns: Number(turns) };
    for (const program of ["router", "proxy", "runner"] as const) {
      figures[`${program}_pss_idle_mb`] = idle[program];
      figures[`${program}_pss_used_mb`] = used[program];
    }
    const note = "PSS shares pages between processes: the Node binary counts once, divided among all that run it.";
    return { ok: Object.values(figures).every((value) => value > 0), figures, notes: [note] };
  },
};

async function pssOf(system: System): Promise<Readonly<Record<Program, number>>> {
  const sums: Record<Program, number> = { router: 0, proxy: 0, runner: 0, host: 0 };
  for (const { pid, program } of await system.processes()) {
    const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    sums[program] += Number(line?.[1] ?? 0) / kibiPerMebi;
  }
  return sums;
}
