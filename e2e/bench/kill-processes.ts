import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

export const victimKinds = ["router", "proxy", "runner", "host"] as const;
export type VictimKind = (typeof victimKinds)[number];

export interface Victim {
  readonly kind: VictimKind;
  readonly pid: number;
}

const scripts: Readonly<Record<VictimKind, string>> = {
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

/** The programs that a supervisor runs just now: its own children and nobody else. */
export async function victimsOf(supervisor: number): Promise<Victim[]> {
  const children = (await listProcesses()).filter(({ parent }) => parent === supervisor);
  return children.flatMap(({ pid, command }) => {
    const kind = victimKinds.find((candidate) => command.includes(scripts[candidate]));
    return kind ? [{ kind, pid }] : [];
  });
}

/** @returns false when it was gone already. */
export function kill({ pid }: Victim): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
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
    const [, , parent] = stat.slice(stat.lastIndexOf(")")).split(" ");
    return { pid: Number(pid), parent: Number(parent), command: command.replaceAll("\0", " ") };
  } catch {
    return undefined;
  }
}

async function readPs(): Promise<ProcessLine[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,args="]);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}
