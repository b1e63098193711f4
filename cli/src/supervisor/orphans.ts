import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How often a killed process is looked at until it is gone. */
const goneIntervalMs = 20;

/**
 * Ends what a killed supervisor left. Its children end by themselves when they notice, but a new one may be faster:
 * the old process of a session must be gone before the new one touches its files.
 */
export async function endOrphans(childrenFolder: string): Promise<number> {
  let ended = 0;
  for (const name of await listFolder(childrenFolder)) {
    const pid = Number(name);
    const identity = await readFile(join(childrenFolder, name), "utf8").catch(() => "");
    if (!Number.isInteger(pid) || identity === "" || processIdentity(pid) !== identity) continue;
    ended++;
    await endGroup(pid, identity);
  }
  return ended;
}

/** When the process with this id started: tells a process from a later one with the same id. */
export function processIdentity(pid: number): string | undefined {
  try {
    if (!existsSync("/proc/self/stat")) {
      return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before the last ")" may hold anything; the state is field 3, the start time in ticks field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

async function endGroup(pid: number, identity: string): Promise<void> {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    return;
  }
  while (processIdentity(pid) === identity) await sleep(goneIntervalMs);
}

const listFolder = (path: string): Promise<string[]> => readdir(path).catch(() => []);
