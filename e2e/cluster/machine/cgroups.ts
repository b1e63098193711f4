import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "./files.ts";
import { waitFor } from "./wait.ts";

const cpusetSettings = ["cpuset.cpus", "cpuset.mems"];
/** Processes of a namespace that is being killed. */
const endTimeoutMs = 20_000;
const forever = new AbortController().signal;
const hierarchies = "/sys/fs/cgroup";
const nodeGroup = "node";

/** Absolute path of a cluster's cgroup, below the root of every hierarchy. */
export const cgroupOf = (cluster: string): string => `/copepod-${cluster}`;

/** Makes the cgroup in which the kubelet puts the pods, empty if there was one. */
export async function makeCgroup(cgroup: string): Promise<void> {
  await removeCgroup(cgroup);
  if (await isUnified()) return await makeUnified(cgroup);
  for (const controller of await controllersOf()) {
    const folder = join(hierarchies, controller, cgroup);
    await mkdir(folder);
    if (controller === "cpuset") await copySettings(folder, cpusetSettings);
  }
}

/** Puts the caller, its parent and all that they start into the cgroup, beside the pods: so its end is the end of all. */
export async function joinCgroup(cgroup: string): Promise<void> {
  for (const folder of await cgroupFolders(cgroup)) {
    const own = join(folder, nodeGroup);
    await mkdir(own);
    if (folder.includes("/cpuset/")) await copySettings(own, cpusetSettings);
    for (const pid of [process.ppid, process.pid]) await writeFile(join(own, "cgroup.procs"), String(pid));
  }
}

/** Command lines of those that have joined it, as words. */
export async function commandsIn(cgroup: string): Promise<string[][]> {
  const [folder] = await cgroupFolders(cgroup);
  const pids = folder === undefined ? "" : ((await readIfThere(join(folder, nodeGroup, "cgroup.procs"))) ?? "");
  const looks = pids
    .trim()
    .split("\n")
    // One may end meanwhile.
    .map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(looks)).map((line) => line.split("\0"));
}

/** Removes the cgroup with all that are in it, when the last of its killed processes is gone. */
export async function removeCgroup(cgroup: string): Promise<void> {
  const look = async () => {
    try {
      for (const folder of await cgroupFolders(cgroup)) await removeTree(folder);
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  };
  const hint = `its processes are in cgroup.procs below ${join(hierarchies, "*", cgroup)}`;
  await waitFor(`the end of all in the cgroup ${cgroup}`, look, { timeoutMs: endTimeoutMs, signal: forever, hint });
}

const isBusy = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "EBUSY";

/** The folders that a cluster's cgroup has just now. */
export async function cgroupFolders(cgroup: string): Promise<string[]> {
  const parents = (await isUnified()) ? [hierarchies] : (await controllersOf()).map((name) => join(hierarchies, name));
  const found = await Promise.all(
    parents.map(async (parent) => ((await namesIn(parent)).includes(cgroup.slice(1)) ? [join(parent, cgroup)] : [])),
  );
  return found.flat();
}

/** Version 2 only; else version 1, where each controller has a hierarchy, or both. */
const isUnified = async (): Promise<boolean> => (await readdir(hierarchies)).includes("cgroup.controllers");

async function controllersOf(): Promise<string[]> {
  const entries = await readdir(hierarchies, { withFileTypes: true });
  // Some are links to a folder that holds two, such as cpu → cpu,cpuacct.
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function makeUnified(cgroup: string): Promise<void> {
  const offered = (await readFile(join(hierarchies, "cgroup.controllers"), "utf8")).trim().split(" ");
  const enable = offered.map((controller) => `+${controller}`).join(" ");
  await writeFile(join(hierarchies, "cgroup.subtree_control"), enable);
  await mkdir(join(hierarchies, cgroup));
  await writeFile(join(hierarchies, cgroup, "cgroup.subtree_control"), enable);
}

/** A new cpuset has neither processors nor memory, and no process can enter it. */
async function copySettings(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await writeFile(join(folder, name), await readFile(join(folder, "..", name)));
}

/** The files in a cgroup's folder are not there to be deleted: only folders are, the innermost first. */
async function removeTree(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) await removeTree(join(folder, name));
  await rmdir(folder);
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
