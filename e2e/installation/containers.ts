import { readdir, readFile } from "node:fs/promises";
import { isAlive } from "../support/processes.ts";
import { until } from "../support/until.ts";

/**
 * Ids, on this machine, of the processes of a container. A node of ours is made of namespaces of this machine, so that all
 * of it can be seen from outside.
 * @param id as the pod's status has it, such as `containerd://0123…`
 */
export async function processesOfContainer(id: string): Promise<number[]> {
  const mark = id.slice(id.lastIndexOf("/") + 1);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const belongs = async (pid: string) => (await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")).includes(mark);
  const found = await Promise.all(pids.map(async (pid) => ((await belongs(pid)) ? [Number(pid)] : [])));
  return found.flat().sort((a, b) => a - b);
}

/** Kills a container as the kernel would when memory runs out, and waits until it is gone. */
export async function killContainer(id: string): Promise<void> {
  const pids = await processesOfContainer(id);
  if (pids.length === 0) throw new Error(`no process of the container ${id} is seen on this machine`);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  for (const pid of pids) await until(`process ${pid} is gone`, async () => !(await isAlive(pid)));
}
