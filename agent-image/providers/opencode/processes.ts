import { readdir, readFile } from "node:fs/promises";

/** A process that forks while it is looked for is found in the next round. */
const maxRounds = 5;

/**
 * Kills every process that has a variable in its environment: what a server has started and left behind, wherever in the
 * tree of processes it is by now. Without `/proc` there is nothing to find.
 */
export async function endProcesses(name: string, value: string): Promise<void> {
  for (let round = 0; round < maxRounds; round++) {
    const found = await findProcesses(`${name}=${value}`);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

async function findProcesses(variable: string): Promise<number[]> {
  const pids = (await readdir("/proc").catch(() => [])).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(pids.map(async (pid) => (await hasVariable(pid, variable)) && pid));
  return found.filter((pid) => pid !== false);
}

async function hasVariable(pid: number, variable: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  return environment.split("\0").includes(variable);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
