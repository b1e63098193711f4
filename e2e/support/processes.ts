import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

export const programs = ["router", "proxy", "runner", "host"] as const;
export type Program = (typeof programs)[number];

export interface FoundProcess {
  readonly pid: number;
  readonly program: Program;
}

/** What the command line of each program has in it. */
const scripts: Readonly<Record<Program, string>> = {
  router: "router/src/main.ts",
  proxy: "credential-proxy/src/main.ts",
  runner: "agent-image/runner/main.ts",
  host: "adapters/host/src/main.ts",
};

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/**
 * The programs that a supervisor runs just now, and nobody else's: its children, or what its children have put into a
 * sandbox. What makes the sandbox has the program in its command line too, but is not run by Node.
 */
export async function programsOf(supervisor: number): Promise<FoundProcess[]> {
  const found = descendantsOf(supervisor, await listProcesses());
  return found.flatMap(({ pid, command }) => {
    if (!command.startsWith(`${process.execPath} `)) return [];
    const program = programs.find((candidate) => command.includes(scripts[candidate]));
    return program ? [{ program, pid }] : [];
  });
}

function descendantsOf(pid: number, all: readonly ProcessLine[]): ProcessLine[] {
  const children = all.filter(({ parent }) => parent === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.pid, all)]);
}

/** @returns false when it was gone already. */
export function kill({ pid }: FoundProcess): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** A process that has ended but whose parent has not looked yet is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await listProcesses()).some((process) => process.pid === pid);
}

async function listProcesses(): Promise<ProcessLine[]> {
  return process.platform === "linux" ? await readProc() : await readPs();
}

/** Linux images often have no `ps`. */
async function readProc(): Promise<ProcessLine[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map(readProcess));
  return lines.filter((line) => line !== undefined);
}

async function readProcess(pid: string): Promise<ProcessLine | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    // The name in brackets may hold anything; state and parent follow the last bracket.
    const [, state, parent] = stat.slice(stat.lastIndexOf(")")).split(" ");
    if (state === "Z" || state === "X") return undefined;
    return { pid: Number(pid), parent: Number(parent), command: command.replaceAll("\0", " ") };
  } catch {
    return undefined;
  }
}

async function readPs(): Promise<ProcessLine[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,stat=,args="]);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (command === undefined || state?.startsWith("Z")) return [];
    return [{ pid: Number(pid), parent: Number(parent), command }];
  });
}
