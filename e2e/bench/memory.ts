import type { Program } from "../support/processes.ts";
import { System, terminalResources } from "../support/system.ts";
import type { Bench } from "./bench.ts";
import { measureBundledPair } from "./memory/bundled-pair.ts";
import { pssMb } from "./memory/pss.ts";

/** Proxy and runner of one session, bundled as the images have them. */
const maxBundledMb = 100;

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
    const { besideOthersMb, aloneMb } = await measureBundledPair();
    figures.proxy_and_runner_pss_bundled_mb = besideOthersMb;
    figures.proxy_and_runner_pss_bundled_alone_mb = aloneMb;
    const ok = Object.values(figures).every((value) => value > 0);
    return { ok: ok && besideOthersMb <= maxBundledMb, figures, notes };
  },
};

const notes = [
  "PSS shares pages between processes: the Node binary counts once, divided among all that run it.",
  "proxy_and_runner_pss_bundled: both bundled by esbuild, after an answer of the demo provider, while the system above runs;",
  "alone: with a copy of Node that only the two run, as in the only pod of a machine.",
];

async function pssOf(system: System): Promise<Readonly<Record<Program, number>>> {
  const sums: Record<Program, number> = { router: 0, proxy: 0, runner: 0, host: 0 };
  for (const { pid, program } of await system.processes()) {
    sums[program] += pssMb(pid);
  }
  return sums;
}
