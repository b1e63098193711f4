import { mkdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster, ClusterStatus, Part, Provider } from "../cluster.ts";
import { kubeconfigOf } from "../cluster.ts";
import { auditPolicy } from "../control-plane/audit-policy.ts";
import { readIfThere, writeWhole } from "../machine/files.ts";
import { waitFor } from "../machine/wait.ts";
import { auditFiles, kindConfig } from "./config.ts";
import type { Engine, Ground } from "./engine.ts";
import { run } from "./run.ts";

const createWait = "180s";
const settleTimeoutMs = 180_000;
/** Pods that come with a cluster, but for the control plane, which has answered by then. */
const systemPods = [["--namespace=kube-system", "--selector=tier!=control-plane"], ["--namespace=local-path-storage"]];

export const kindProvider = (ground: Ground): Provider => ({
  name: "kind",

  async up(cluster) {
    const engine = await ground.start(cluster);
    const tools = await toolsOf(cluster, engine);
    const isMade = (await readMark(cluster)) === "made";
    if (!isMade || !(await nodeState(cluster, engine))) await make(cluster, { ground, engine, tools });
    else await run(["docker", "start", nodeOf(cluster)], { signal: cluster.signal, env: engine.env });
    await tools.kind("export", "kubeconfig", ...nameOf(cluster), "--kubeconfig", kubeconfigOf(cluster.folder));
    await ground.publish?.(cluster, engine, await readPort(cluster));
    await settle(cluster, engine, tools);
  },

  async down(cluster) {
    if (ground.remove) return await ground.remove(cluster);
    const engine = await ground.find(cluster);
    if (engine) {
      const { kind } = await toolsOf(cluster, engine);
      await kind("delete", "cluster", ...nameOf(cluster), "--kubeconfig", kubeconfigOf(cluster.folder));
    } else if ((await readMark(cluster)) !== undefined) {
      throw new CopepodError(
        "unavailable",
        `the node of ${cluster.name} is in a Docker engine that does not answer: start it`,
      );
    }
  },

  async status(cluster) {
    return statusOf(await partsOf(cluster, await ground.find(cluster)));
  },

  async load(cluster, image) {
    const engine = await serving(cluster, ground);
    const { kind } = await toolsOf(cluster, engine);
    const isFile = await stat(image).then(
      (found) => found.isFile(),
      () => false,
    );
    await kind("load", isFile ? "image-archive" : "docker-image", image, ...nameOf(cluster));
  },

  async enter(cluster) {
    return (await serving(cluster, ground)).enter;
  },
});

async function readPort({ folder }: Cluster): Promise<number> {
  const [, port] = /server: https:\/\/[^:]+:(\d+)/.exec(await readFile(kubeconfigOf(folder), "utf8")) ?? [];
  return Number(port);
}

async function serving(cluster: Cluster, ground: Ground): Promise<Engine> {
  const engine = await ground.find(cluster);
  if (engine) return engine;
  throw new CopepodError("unavailable", `the Docker engine of ${cluster.name} does not answer: \`up\` mends that`);
}

const kindName = ({ name }: Cluster): string => `copepod-${name}`;
const nameOf = (cluster: Cluster): readonly string[] => ["--name", kindName(cluster)];
const nodeOf = (cluster: Cluster): string => `${kindName(cluster)}-control-plane`;

/** Ticks and pictures. */
const decoration = /[^\p{ASCII}≤]/gu;

interface Tools {
  kind(...args: readonly string[]): Promise<string>;
  kubectl(...args: readonly string[]): Promise<string>;
}

async function toolsOf(cluster: Cluster, { env, enter }: Engine): Promise<Tools> {
  const { signal, say, folder } = cluster;
  const binaries = await cluster.binaries(["kind", "kubectl"]);
  const [first = binaries.kubectl, ...rest] = [...enter, binaries.kubectl, "--kubeconfig", kubeconfigOf(folder)];
  // It tells each step twice: first with a dot, then, when it is done, with a tick.
  const sayDone = (line: string) => {
    if (line.startsWith("✓")) say(`kind: ${line.replaceAll(decoration, "").trim()}`);
  };
  return {
    kind: (...args) => run([binaries.kind, ...args], { signal, say: sayDone, env }),
    kubectl: (...args) => run([first, ...rest, ...args], { signal }),
  };
}

/** How far the node is: there is none before the first, and one that never got to the second was given up on its way. */
type Mark = "begun" | "made";
const markOf = ({ folder }: Cluster): string => join(folder, "kind-node");
const mark = async (cluster: Cluster, as: Mark): Promise<void> => await writeWhole(markOf(cluster), as);

async function readMark(cluster: Cluster): Promise<Mark | undefined> {
  const text = await readIfThere(markOf(cluster));
  return text === undefined || text === "made" ? text : "begun";
}

interface MakeOptions {
  readonly ground: Ground;
  readonly engine: Engine;
  readonly tools: Tools;
}

async function make(cluster: Cluster, { ground, engine, tools }: MakeOptions): Promise<void> {
  const kubeconfig = ["--kubeconfig", kubeconfigOf(cluster.folder)];
  await tools.kind("delete", "cluster", ...nameOf(cluster), ...kubeconfig);
  const image = await ground.image(cluster, engine);
  const [auditFolder, config] = [join(cluster.folder, "audit"), join(cluster.folder, "kind.yaml")];
  await mkdir(auditFolder, { recursive: true });
  // Where that of every cluster is.
  await rm(join(cluster.folder, auditFiles.log), { force: true });
  await symlink(join("audit", auditFiles.log), join(cluster.folder, auditFiles.log));
  await writeWhole(join(auditFolder, auditFiles.policy), auditPolicy);
  await writeWhole(config, kindConfig({ auditFolder, ownImage: image.own }));
  const options = ["--image", image.name, "--config", config, "--wait", createWait];
  await mark(cluster, "begun");
  await tools.kind("create", "cluster", ...nameOf(cluster), ...options, ...kubeconfig);
  await mark(cluster, "made");
}

/** For each container, whether it is ready and since when it runs. */
const containers = '{range .items[*].status.containerStatuses[*]}{.ready} {.state.running.startedAt}{"\\n"}{end}';

/**
 * Waits until network, DNS and volumes work. After a new start of the node everything looks as it was before for a while, so
 * only what has started since then counts.
 */
async function settle(cluster: Cluster, engine: Engine, { kubectl }: Tools): Promise<void> {
  const { signal } = cluster;
  const inspect = ["docker", "inspect", "--format", "{{.State.StartedAt}}", nodeOf(cluster)] as const;
  const begun = Date.parse((await run(inspect, { signal, env: engine.env })).trim());
  const hasStarted = (line: string): boolean => {
    const [ready, since = ""] = line.split(" ");
    return ready === "true" && Date.parse(since) >= begun;
  };
  const look = async (): Promise<boolean> => {
    for (const pods of systemPods) {
      const lines = (await kubectl("get", "pods", ...pods, "-o", `jsonpath=${containers}`).catch(() => "")).trim();
      if (!lines.split("\n").every(hasStarted)) return false;
    }
    return true;
  };
  const hint = "`kubectl get pods --all-namespaces` shows which of them does not come";
  await waitFor("the pods that come with the cluster", look, { timeoutMs: settleTimeoutMs, signal, hint });
}

/** @returns undefined when there is no node */
async function nodeState(cluster: Cluster, { env }: Engine): Promise<string | undefined> {
  const filter = ["--all", "--filter", `name=^${nodeOf(cluster)}$`, "--format", "{{.State}}"];
  return (await run(["docker", "ps", ...filter], { signal: cluster.signal, env })).trim() || undefined;
}

async function partsOf(cluster: Cluster, engine: Engine | undefined): Promise<readonly Part[]> {
  if (!engine) return (await readMark(cluster)) === undefined ? [] : [{ name: "engine", state: "ended" }];
  const node = await nodeState(cluster, engine);
  const parts: Part[] = [{ name: "engine", state: "running" }];
  if (node === undefined) return parts;
  parts.push({ name: "node", state: node === "running" ? "running" : "ended", detail: nodeOf(cluster) });
  const { kubectl } = await toolsOf(cluster, engine);
  const answer = await kubectl("get", "--raw=/readyz", "--request-timeout=5s").then(
    (): Part => ({ name: "kube-apiserver", state: "running" }),
    (): Part => ({ name: "kube-apiserver", state: "ended", detail: "does not answer" }),
  );
  return [...parts, answer];
}

function statusOf(parts: readonly Part[]): ClusterStatus {
  if (parts.length === 0) return { state: "down", parts };
  const isWhole = parts.length === 3 && parts.every(({ state }) => state === "running");
  return { state: isWhole ? "up" : "broken", parts };
}
