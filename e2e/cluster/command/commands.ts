import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { isProgram } from "../binaries/catalogue.ts";
import { findBinaries, findFolders } from "../binaries/find.ts";
import type { Cluster } from "../cluster.ts";
import { takeLock } from "../machine/lock.ts";
import { listProcesses, stopProcess } from "../machine/processes.ts";
import { whyNotReady } from "./answers.ts";
import { type Context, existing, kubeconfigFor, makeCluster } from "./context.ts";
import { defaultName, type Of, type Wish } from "./options.ts";
import { chooseState, loadProvider } from "./providers.ts";
import { type ClusterState, readState, writeState } from "./state.ts";

export const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function up({ name, wish, install }: Of<"up">, context: Context): Promise<void> {
  const { folders, cwd, say, signal } = context;
  const folder = join(folders.clusters, name);
  using _lock = await lock(name, context);
  const began = performance.now();
  const state = await agree(name, { wish: resolveWish(wish, cwd), before: await readState(folder), signal });
  await writeState(folder, state);
  const provider = await loadProvider(state, folders.cache);
  const cluster = makeCluster(name, { context, install });
  await provider.up(cluster);
  const kubeconfig = kubeconfigFor(state, folder);
  const problem = await whyNotReady(cluster, kubeconfig);
  if (problem !== undefined)
    throw new CopepodError("clusterUnavailable", `the cluster of ${kubeconfig} does not answer: ${problem}`);
  say(`${name} (${describe(state)}) serves, after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  const option = name === defaultName ? "" : ` --name ${name}`;
  say(`try: npm run cluster --${option} exec -- kubectl get namespaces`);
  say(`or:  export KUBECONFIG=${kubeconfig}`);
}

export async function down({ name }: Of<"down">, context: Context): Promise<void> {
  const folder = join(context.folders.clusters, name);
  using _lock = await lock(name, context);
  if (!existsSync(folder)) return context.say(`there is no cluster ${name}`);
  const cluster = makeCluster(name, { context });
  const state = await readState(folder).catch(sayUnreadable(cluster));
  if (state) await (await loadProvider(state, context.folders.cache)).down(cluster);
  for (const { name } of await listProcesses(folder)) await stopProcess(folder, name, { signal: "SIGKILL" });
  if (!state && process.platform === "linux") await removeRemains(cluster, context.folders.cache);
  await rm(folder, { recursive: true, force: true });
  context.say(`${name} is gone`);
}

export async function load({ name, image }: Of<"load">, context: Context): Promise<void> {
  const { provider } = await existing(name, context);
  if (!provider.load) throw new CopepodError("invalid", `${name} has no node that it could load images into`);
  const file = resolve(context.cwd, image);
  using _lock = await lock(name, context);
  context.say(`loading ${image}`);
  await provider.load(makeCluster(name, { context }), existsSync(file) ? file : image);
}

/** @returns the exit code of the command; 128 and the number when it ended by a signal */
export async function exec({ name, command }: Of<"exec">, context: Context): Promise<number> {
  const { provider, state, folder } = await existing(name, context);
  const { env, cwd, say, signal } = context;
  const before = (await provider.enter?.(makeCluster(name, { context }))) ?? [];
  // What others it may call is not known: of those, only what is there already.
  const folders = await findFolders(["kubectl", "helm"], { env, say: () => {}, signal });
  if (isProgram(command[0]))
    folders.push(dirname((await findBinaries([command[0]], { env, say, signal }))[command[0]]));
  const [program = "", ...args] = [...before, ...command];
  const path = [...folders, env.PATH ?? ""].join(delimiter);
  const child = spawn(program, args, {
    cwd,
    stdio: "inherit",
    env: { ...env, PATH: path, KUBECONFIG: kubeconfigFor(state, folder) },
  });
  const forward = (killedBy: NodeJS.Signals) => {
    // Ctrl-C of a terminal reaches the command without us, and it may go on after it.
    if (killedBy !== "SIGINT") child.kill(killedBy);
  };
  for (const each of endSignals) process.on(each, forward);
  try {
    await once(child, "exit");
  } catch (cause) {
    throw new CopepodError("notFound", `${program} can't be started; is it on the PATH?`, { cause });
  } finally {
    for (const each of endSignals) process.off(each, forward);
  }
  return child.exitCode ?? 128 + (child.signalCode ? constants.signals[child.signalCode] : 0);
}

const sayUnreadable =
  ({ name, say }: Cluster) =>
  (error: unknown): undefined => {
    if (!(error instanceof CopepodError)) throw error;
    say(
      `${error.message}; what a Docker engine of the machine has of it stays: docker ps --filter label=io.x-k8s.kind.cluster=copepod-${name}`,
    );
  };

/** Of a cluster of which nobody knows any more how it was made: all that is not in its folder are cgroups. */
async function removeRemains(cluster: Cluster, cache: string): Promise<void> {
  await (await loadProvider({ provider: "native", ownEngine: false }, cache)).down(cluster);
}

/** What the cluster shall be, from what is wished and what it is already. */
async function agree(
  name: string,
  {
    wish,
    before,
    signal,
  }: { readonly wish: Wish; readonly before: ClusterState | undefined; readonly signal: AbortSignal },
): Promise<ClusterState> {
  if (!before) return wish ?? (await chooseState(signal));
  if (!wish || isDeepStrictEqual(wish, before)) return before;
  throw new CopepodError(
    "conflict",
    `${name} is another kind of cluster already (${describe(before)}): \`down\` it first, or make one of another --name`,
  );
}

const resolveWish = (wish: Wish, cwd: string): Wish =>
  wish?.kubeconfig === undefined ? wish : { ...wish, kubeconfig: resolve(cwd, wish.kubeconfig) };

const describe = ({ provider, ownEngine, kubeconfig }: ClusterState): string =>
  [provider, ...(ownEngine ? ["own engine"] : []), ...(kubeconfig === undefined ? [] : [kubeconfig])].join(", ");

/** Only one process at a time changes a cluster. The lock lies beside its folder, which `down` removes. */
async function lock(name: string, { folders, say, signal }: Context): Promise<Disposable> {
  await mkdir(folders.clusters, { recursive: true, mode: 0o700 });
  return await takeLock(join(folders.clusters, `${name}.lock`), { say, signal, what: `the cluster ${name}` });
}
