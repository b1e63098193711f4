import { readdirSync, readFileSync } from "node:fs";

export type Program = "router" | "proxy" | "runner" | "host";

/** What the command line of each program ends with. */
const scripts: Readonly<Record<Program, string>> = {
  router: "router/src/main.ts",
  proxy: "credential-proxy/src/main.ts",
  runner: "agent-image/runner/main.ts",
  host: "adapters/host/src/main.ts",
};

export interface FoundProcess {
  readonly pid: number;
  readonly program: Program;
}

/** Copepod's programs below a process, at any depth. Linux only: reads /proc. */
export function programsBelow(root: number): FoundProcess[] {
  const parents = new Map<number, number>();
  const programs = new Map<number, Program>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const facts = factsOf(pid);
    if (!facts) continue;
    parents.set(pid, facts.parent);
    if (facts.program) programs.set(pid, facts.program);
  }
  return [...programs].filter(([pid]) => isBelow(pid, root, parents)).map(([pid, program]) => ({ pid, program }));
}

export function isAlive(pid: number): boolean {
  return factsOf(pid) !== undefined;
}

function isBelow(pid: number, root: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) if (at === root) return true;
  return false;
}

/** undefined = the process has ended, or is a zombie that only waits for its parent. */
function factsOf(pid: number): { parent: number; program: Program | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const program = (Object.keys(scripts) as Program[]).find((name) => args.some((arg) => arg.endsWith(scripts[name])));
    return { parent: Number(parent), program };
  } catch {
    return undefined;
  }
}
