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
import type { Cluster, ClusterStatus, Provider, ProviderName } from "../cluster.ts";
import { kubeconfigOf } from "../cluster.ts";
import type { Folders } from "../machine/folders.ts";
import { takeLock } from "../machine/lock.ts";
import { requirePackages } from "../machine/packages.ts";
import { listProcesses, stopProcess } from "../machine/processes.ts";
import { programFolders } from "../machine/programs.ts";
import { defaultName, type Invocation, type Wish } from "./options.ts";
import { chooseState, loadProvider } from "./providers.ts";
import { type ClusterState, listClusters, readState, writeState } from "./state.ts";

export const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Context {
  readonly folders: Folders;
  readonly env: NodeJS.ProcessEnv;
  /** What relative paths start from. */
  readonly cwd: string;
  /** For people, while it goes on. */
  readonly say: (line: string) => void;
  /** The answer. */
  readonly print: (text: string) => void;
  readonly signal: AbortSignal;
}

type Of<Kind extends Invocation["kind"]> = Extract<Invocation, { kind: Kind }>;

export async function up({ name, wish, install }: Of<"up">, context: Context): Promise<void> {
  const { folders, cwd, say, signal } = context;
  const folder = join(folders.clusters, name);
  using _lock = await lock(name, context);
  const began = performance.now();
  const state = await agree(name, { wish: resolveWish(wish, cwd), before: await readState(folder), signal });
  await writeState(folder, state);
  const provider = await loadProvider(state, folders.cache);
  await provider.up(makeCluster(name, { context, install }));
  say(`${name} (${describe(state)}) serves, after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  const option = name === defaultName ? "" : ` --name ${name}`;
  say(`try: npm run cluster --${option} exec -- kubectl get namespaces`);
  say(`or:  export KUBECONFIG=${kubeconfigFor(state, folder)}`);
}

export async function down({ name }: Of<"down">, context: Context): Promise<void> {
  const folder = join(context.folders.clusters, name);
  using _lock = await lock(name, context);
  if (!existsSync(folder)) return context.say(`there is no cluster ${name}`);
  const state = await readState(folder);
  if (state) await (await loadProvider(state, context.folders.cache)).down(makeCluster(name, { context }));
  for (const { name } of await listProcesses(folder)) await stopProcess(folder, name);
  await rm(folder, { recursive: true, force: true });
  context.say(`${name} is gone`);
}

/** @returns whether all that it shows serve */
export async function status({ name, asJson }: Of<"status">, context: Context): Promise<boolean> {
  const { clusters } = context.folders;
  const names = name === undefined ? await listClusters(clusters) : [name];
  const all = await Promise.all(names.map((name) => look(name, context)));
  if (asJson) context.print(`${JSON.stringify({ clusters: all }, undefined, 2)}\n`);
  else if (all.length === 0) context.print("there is no cluster; `npm run cluster -- up` makes one\n");
  else for (const one of all) context.print(formatStatus(one));
  return all.every(({ state }) => state === "up");
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

const kubeconfigFor = ({ kubeconfig }: ClusterState, folder: string): string => kubeconfig ?? kubeconfigOf(folder);

interface Existing {
  readonly provider: Provider;
  readonly state: ClusterState;
  readonly folder: string;
}

/** @throws CopepodError `notFound` */
async function existing(name: string, { folders }: Context): Promise<Existing> {
  const folder = join(folders.clusters, name);
  const state = await readState(folder);
  if (state) return { folder, state, provider: await loadProvider(state, folders.cache) };
  throw new CopepodError(
    "notFound",
    `there is no cluster ${name}: \`up\` makes it, \`status\` lists those that there are`,
  );
}

/** Only one process at a time changes a cluster. The lock lies beside its folder, which `down` removes. */
async function lock(name: string, { folders, say, signal }: Context): Promise<Disposable> {
  await mkdir(folders.clusters, { recursive: true, mode: 0o700 });
  return await takeLock(join(folders.clusters, `${name}.lock`), { say, signal, what: `the cluster ${name}` });
}

function makeCluster(
  name: string,
  { context, install = false }: { readonly context: Context; readonly install?: boolean },
): Cluster {
  const { folders, env, say, signal } = context;
  return {
    name,
    folder: join(folders.clusters, name),
    say,
    signal,
    binaries: async (names) => await findBinaries(names, { env, say, signal }),
    packages: async (names) =>
      await requirePackages(names, { install, folders: programFolders(env.PATH), say, signal }),
  };
}

interface Shown extends ClusterStatus {
  readonly name: string;
  readonly provider: ProviderName;
  readonly folder: string;
  readonly kubeconfig: string;
}

async function look(name: string, context: Context): Promise<Shown> {
  const { provider, state, folder } = await existing(name, context);
  const found = await provider.status(makeCluster(name, { context }));
  return { name, provider: provider.name, ...found, folder, kubeconfig: kubeconfigFor(state, folder) };
}

function formatStatus({ name, provider, state, kubeconfig, parts }: Shown): string {
  const width = Math.max(...parts.map((part) => part.name.length), 0);
  const lines = parts.map(
    (part) => `  ${part.name.padEnd(width)}  ${part.state}${part.detail ? `  ${part.detail}` : ""}`,
  );
  const advice = state === "up" ? [] : ["  `up` mends it, `down` removes it"];
  return `${[`${name}  ${provider}  ${state}  ${kubeconfig}`, ...lines, ...advice].join("\n")}\n`;
}
