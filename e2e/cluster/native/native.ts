import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, mkdir, open, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster, Provider } from "../cluster.ts";
import { writeBusyboxImage, writePauseImage } from "../images/standard.ts";
import { cgroupOf, commandsIn, makeCgroup, removeCgroup } from "../machine/cgroups.ts";
import { readIfThere, writeWhole } from "../machine/files.ts";
import { childrenOf, findProcess, type ProcessRecord, startProcess, stopProcess } from "../machine/processes.ts";
import { programFolders } from "../machine/programs.ts";
import { imageImport } from "./config.ts";
import { describeStatus, readStatus, waitUntilReady } from "./progress.ts";
import {
  type NodeSpec,
  nodeFolderOf,
  nodeProcess,
  parseApiPort,
  parseSpec,
  programNames,
  specFileOf,
  statusFileOf,
} from "./spec.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const readyTimeoutMs = 180_000;
/** The node's own of these hide the machine's. */
const hiddenFolders = ["/run", "/var/lib", "/var/log"];

/** A cluster of one node, which is this machine in namespaces of its own. */
export const native: Provider = {
  name: "native",

  async up(cluster) {
    requireRoot();
    requireVisible(cluster.folder);
    if (await isElsewhere(cluster)) {
      const { name } = cluster;
      throw new CopepodError("conflict", `a cluster ${name} of another state folder runs: choose another --name`);
    }
    if (!(await findProcess(cluster.folder, nodeProcess))) await startNode(cluster);
    await waitUntilReady(cluster, readyTimeoutMs);
  },

  async down(cluster) {
    const { name, folder } = cluster;
    const node = await findProcess(folder, nodeProcess);
    // All that is in the namespaces ends with their first process, and only then does its parent.
    if (node) for (const pid of await childrenOf(node)) process.kill(pid, "SIGKILL");
    await stopProcess(folder, nodeProcess);
    if (!(await isElsewhere(cluster))) await removeCgroup(cgroupOf(name));
  },

  async status({ folder }) {
    const node = await findProcess(folder, nodeProcess);
    return describeStatus(await readStatus(folder), node !== undefined);
  },

  async load(cluster, archive) {
    const node = await requireNode(cluster);
    const { programs } = parseSpec(await readFile(specFileOf(cluster.folder), "utf8"));
    // Read here: what is in a folder that the node has for itself would not be found there.
    await using file = await openArchive(archive);
    const words = ["--target", String(node.pid), "--net", "--mount", "--", programs.ctr, ...imageImport, "-"];
    const child = spawn("nsenter", words, { stdio: [file.fd, "ignore", "pipe"] });
    const complaint: Buffer[] = [];
    child.stderr?.on("data", (part: Buffer) => complaint.push(part));
    const [code] = await once(child, "close");
    if (code === 0) return;
    // Before it there are warnings that have nothing to do with it.
    const cause = Buffer.concat(complaint).toString().trim().split("\n").at(-1);
    throw new CopepodError("invalid", `${archive} is no image: ${cause}`);
  },

  async enter(cluster) {
    const node = await requireNode(cluster);
    return ["nsenter", "--target", String(node.pid), "--net", "--"];
  },
};

/** Whether the cgroup of this name is another cluster's: cgroups are the machine's, names those of a state folder. */
async function isElsewhere({ name, folder }: Cluster): Promise<boolean> {
  const own = specFileOf(folder);
  const commands = await commandsIn(cgroupOf(name));
  return commands.some((words) => words.some((word) => word.endsWith("/native/main.ts")) && !words.includes(own));
}

async function openArchive(archive: string): Promise<FileHandle> {
  try {
    return await open(archive);
  } catch (cause) {
    throw new CopepodError("notFound", `${archive} can't be read: name an archive of “docker save”`, { cause });
  }
}

function requireRoot(): void {
  if (process.platform === "linux" && process.getuid?.() === 0) return;
  throw new CopepodError(
    "invalid",
    "a native cluster is made by root on Linux; elsewhere use --provider kind, or --control-plane for the API server alone",
  );
}

function requireVisible(folder: string): void {
  const hiding = hiddenFolders.find((hidden) => folder.startsWith(`${hidden}/`));
  if (hiding === undefined) return;
  throw new CopepodError("invalid", `${folder} is below ${hiding}, which the node has for itself: set XDG_STATE_HOME`);
}

async function requireNode({ name, folder }: Cluster): Promise<ProcessRecord> {
  const node = await findProcess(folder, nodeProcess);
  if (node) return node;
  throw new CopepodError("clusterUnavailable", `the cluster “${name}” does not run; “up” starts it`);
}

async function startNode(cluster: Cluster): Promise<void> {
  const { name, folder, signal, say } = cluster;
  await mkdir(nodeFolderOf(folder), { recursive: true, mode: 0o700 });
  const machine = await prepareMachine(cluster);
  await using listener = await listen(await readApiPort(folder));
  const spec = { ...machine, apiPort: portOf(listener) };
  await writeWhole(specFileOf(folder), JSON.stringify(spec));
  await rm(statusFileOf(folder), { force: true });
  // Waits for the last process of a node that was killed, too.
  await makeCgroup(cgroupOf(name));
  say("starting the node");
  await startProcess({
    folder,
    name: nodeProcess,
    command: [...newMachine, process.execPath, main, specFileOf(folder)],
    // kubectl keeps a cache at home; what else would be in the machine's /tmp goes with the node.
    env: {
      HOME: nodeFolderOf(folder),
      TMPDIR: "/run",
      PATH: programFolders(process.env.PATH).join(delimiter),
    },
    listener,
    signal,
  });
}

const namespaces = ["--net", "--mount", "--pid", "--ipc", "--uts", "--mount-proc", "--propagation", "private"];
/**
 * Orphans become children of the first process of a PID namespace. Node looks after its own children only; a shell that
 * waits takes in all.
 */
const newMachine = [
  "unshare",
  ...namespaces,
  "--fork",
  "--kill-child",
  "--",
  "/bin/sh",
  "-c",
  '"$@" & wait "$!"',
  "sh",
] as const;

async function prepareMachine(cluster: Cluster): Promise<Omit<NodeSpec, "apiPort">> {
  const { name, folder } = cluster;
  const needed = ["runc", "nftables", "iproute2", "util-linux", "busybox-static"] as const;
  const { "busybox-static": busybox } = await cluster.packages(needed);
  const { pause, ...programs } = await cluster.binaries([...programNames, "pause"]);
  const images = join(nodeFolderOf(folder), "images");
  return {
    name,
    folder,
    programs,
    images: [await writePauseImage(pause, images), await writeBusyboxImage(busybox, images)],
  };
}

async function readApiPort(folder: string): Promise<number | undefined> {
  const text = await readIfThere(specFileOf(folder));
  return text === undefined ? undefined : parseApiPort(text);
}

/** @param port is taken if it can be: then a kubeconfig of an earlier start leads here, too */
async function listen(port = 0): Promise<Server> {
  // Nobody is served before the node has it.
  const server = createServer((socket) => socket.destroy()).listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if (port === 0) throw error;
    return await listen();
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address !== null && typeof address === "object") return address.port;
  throw new CopepodError("internal", "a TCP server has no port");
}
