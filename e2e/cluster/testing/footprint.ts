import { readdir, readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/**
 * What a cluster could leave behind on a machine. Of processes the ids and command lines; settings are those of the kernel,
 * which no namespace keeps apart.
 */
export const footprintKinds = ["processes", "mounts", "interfaces", "cgroups", "files", "settings"] as const;
export type Footprint = Readonly<Record<(typeof footprintKinds)[number], readonly string[]>>;

/** Into which the programs of a node write what nobody has told them to write elsewhere. */
const usualFolders = ["/run", "/var/lib", "/var/log", "/etc", "/opt", "/root"];
const cgroupDepth = 3;
const settings = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/hostname"];

/**
 * Other programs come and go meanwhile: of processes and cgroups only those count that belong to the clusters.
 * @param clusters names that nothing else on the machine has
 * @param folder of the clusters' state
 */
export async function footprint(clusters: readonly string[], folder: string): Promise<Footprint> {
  const isOurs = (line: string) => [folder, ...clusters].some((mark) => line.includes(mark));
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return {
    processes: (await listProcesses()).map(({ pid, command, cgroup }) => `${pid} ${command} ${cgroup}`).filter(isOurs),
    mounts: mounts.map((line) => line.split(" ")[4] ?? "").sort(),
    interfaces: Object.keys(networkInterfaces()).sort(),
    cgroups: (await listTree("/sys/fs/cgroup", cgroupDepth)).filter(isOurs),
    settings: await Promise.all(settings.map(async (name) => `${name} ${await readFile(`/proc/sys/${name}`, "utf8")}`)),
    files: (await Promise.all(usualFolders.map((usual) => listTree(usual, 1)))).flat(),
  };
}

/** Process ids of a node's component. */
export async function processesOf(cluster: string, program: string): Promise<number[]> {
  const all = await listProcesses();
  return all
    .filter(
      ({ cgroup, command }) =>
        cgroup.includes(`/copepod-${cluster}/node`) && command.split(" ")[0]?.endsWith(`/${program}`),
    )
    .map(({ pid }) => pid);
}

/** Processes that have ended and that the first process of a node's namespaces has not looked after. */
export async function zombiesBelow(node: number | undefined): Promise<string[]> {
  const all = await listProcesses();
  const [first] = all.filter(({ parent }) => parent === node);
  return all
    .filter(({ parent, state }) => parent === first?.pid && state === "Z")
    .map(({ command, pid }) => `${pid} ${command}`);
}

interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly command: string;
  readonly cgroup: string;
}

async function listProcesses(): Promise<SeenProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const seen = await Promise.all(pids.map(readProcess));
  return seen.filter((process) => process !== undefined);
}

async function readProcess(pid: string): Promise<SeenProcess | undefined> {
  try {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8");
    const [stat, command, cgroup] = await Promise.all([read("stat"), read("cmdline"), read("cgroup")]);
    // The name in brackets may hold anything.
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), parent: Number(parent), state, command: command.replaceAll("\0", " "), cgroup };
  } catch {
    // It has ended since its name was read.
    return undefined;
  }
}

/** Paths of all files and folders, so many folders deep. */
async function listTree(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const lists = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() && depth > 1 ? [path, ...(await listTree(path, depth - 1))] : [path];
  });
  return (await Promise.all(lists)).flat().sort();
}
