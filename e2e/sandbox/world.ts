import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type HomeLayout, homeLayout, runFolderFor, runLayout } from "@copepod/cli/home/layout";
import { type Places, pairFolders } from "@copepod/cli/supervisor/commands";
import { chooseSandbox } from "@copepod/cli/supervisor/sandbox/choose-sandbox";
import type { Identity } from "@copepod/cli/supervisor/sandbox/identity";
import { machinePlaces } from "@copepod/cli/supervisor/sandbox/machine-places";
import type { Sandbox, SandboxedSession } from "@copepod/cli/supervisor/sandbox/sandbox";
import { System, terminalResources } from "../support/system.ts";
import { become } from "./become.ts";
import { externalAddress, openServices } from "./services.ts";

/** Who runs Copepod. */
export interface Way {
  readonly name: string;
  readonly uid: number;
}

const runner = fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/main"));
const packages = dirname(dirname(fileURLToPath(import.meta.resolve("zod"))));
const probeTimeoutMs = 20_000;

/** A system that runs, two of its sessions, and what a hostile program in one of them would like to have. */
export class World implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #sandbox: Sandbox;
  readonly #way: Way;
  /** What the attempts are told; the second one has what is elsewhere outside. */
  readonly #env: Readonly<Record<string, string>>;
  readonly #envOutside: Readonly<Record<string, string>>;
  readonly #session: SandboxedSession;

  private constructor(way: Way, made: Awaited<ReturnType<typeof make>>) {
    this.#way = way;
    this.#stack = made.stack;
    this.#sandbox = made.sandbox;
    this.#env = made.env;
    this.#envOutside = { ...made.env, ...made.outside };
    this.#session = made.session;
  }

  static async open(way: Way): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const made = await make(way, stack);
    return new World(way, { ...made, stack: stack.move() });
  }

  /** Starts a command in place of the session's runner. */
  start(argv: readonly string[]): ChildProcess {
    const {
      argv: [program = "", ...args],
      env,
    } = this.#command(argv);
    return spawn(program, args, { env, detached: true, stdio: ["pipe", "ignore", "inherit"] });
  }

  /** @returns what the command has written, or undefined when it has not ended with 0. */
  inside(argv: readonly string[]): Promise<string | undefined> {
    const command = this.#command(argv);
    return outputOf(command.argv, command.env);
  }

  outside(argv: readonly string[], uid = this.#way.uid): Promise<string | undefined> {
    return outputOf([...become(uid), ...argv], this.#envOutside);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** The command line of the session's runner, with another program at its end. */
  #command(argv: readonly string[]) {
    const command = this.#sandbox.command(this.#session, { script: runner, env: this.#env });
    return { argv: [...become(this.#way.uid), ...command.argv.slice(0, -2), ...argv], env: command.env };
  }
}

async function outputOf(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    return (await promisify(execFile)(program, args, { env: { ...env }, timeout: probeTimeoutMs })).stdout;
  } catch {
    return undefined;
  }
}

async function make(way: Way, stack: AsyncDisposableStack) {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "cpx-")));
  stack.defer(() => rm(parent, { recursive: true, force: true }));
  chmodSync(parent, 0o755);
  const home = homeLayout(join(parent, "home"));
  const own = { uid: way.uid, gid: way.uid };
  const keys = plantKeys(home, own);
  const harness = join(parent, "harnesses", "harness");
  mkdirSync(dirname(harness));
  writeFileSync(harness, "");

  const system = stack.use(await System.start(terminalResources(), home.home, become(way.uid)));
  const run = runLayout(runFolderFor(home.home, way.uid, undefined));
  const places = { home, run, logLevel: "info", harnessesDir: dirname(harness) };
  const session = await wake(system, places, "one");
  const other = await wake(system, places, "two");
  const machine = machinePlaces(home, run, places.harnessesDir);
  const sandbox = await chooseSandbox("bubblewrap", { image: "", env: {} }, { own, machine });
  const services = stack.use(await openServices());
  const marked = stack.use(startMarked(`mark-${services.port}-${way.uid}`, way.uid));
  const setuidOutside = join(parent, "setuid-id");
  plantSetuid(setuidOutside);
  const scratch = join(parent, "scratch");
  mkdirSync(scratch);
  const env = {
    ...pathsOf(places),
    ...keys,
    ...plantFiles(home, session, other, own),
    ...pathsOfSession(session),
    OTHER_TOKEN: other.folders.tokenFile,
    OTHER_PROXY: other.folders.proxySocket,
    OTHER_PID: String(other.pid),
    HARNESS: harness,
    MARK: marked.mark,
    PID: String(marked.pid),
    PORT: String(services.port),
    ABSTRACT: services.abstract,
    ADDRESS: externalAddress(),
  };
  return { stack, sandbox, session, env, outside: { SCRATCH: scratch, SETUID_ID: setuidOutside, OUTSIDE: "1" } };
}

type Awake = SandboxedSession & { readonly pid: number };

/** A session of the conversation, with its folders and the process id of its runner. */
async function wake(system: System, places: Places, conversation: string): Promise<Awake> {
  const { sessions } = places.run;
  const [pairs, runners] = [await readdir(sessions), await runnersOf(system)];
  const { id, session } = await system.say(conversation, "hello");
  await system.answerTo(conversation, id);
  const short = (await readdir(sessions)).find((name) => !pairs.includes(name));
  const pid = (await runnersOf(system)).find((one) => !runners.includes(one));
  if (short === undefined || pid === undefined) throw new Error(`the session of ${conversation} is not awake`);
  const names = { group: "helper", session: session.replace(/^default\//, ""), short };
  return { session: `default/${names.session}`, group: "default/helper", folders: pairFolders(places, names), pid };
}

const runnersOf = async (system: System): Promise<readonly number[]> =>
  (await system.processes()).filter(({ program }) => program === "runner").map(({ pid }) => pid);

const pathsOf = ({ home, run }: Places) => ({
  PATH: "/usr/bin:/bin",
  SCRATCH: "/tmp",
  QUEUE: join(home.home, "queue.db"),
  RESOURCE: join(home.resources, "0.yaml"),
  LOG: join(home.logs, "router.log"),
  HOME_FOLDER: home.home,
  RUN_FOLDER: run.folder,
  ADMIN: run.adminSocket,
  MAILBOX: run.mailboxSocket,
  SUPERVISOR: run.supervisorSocket,
  CODE: runner,
  PACKAGES: packages,
  NODE_FOLDER: dirname(process.execPath),
});

const pathsOfSession = ({ folders }: SandboxedSession) => ({
  HOME: join(folders.workspace, "home"),
  TOKEN: folders.tokenFile,
  RULES: folders.rulesFile,
  LINK: join(folders.workspace, "link"),
  WORKSPACE: folders.workspace,
  AGENT_DIR: folders.agentDir,
  PROXY: folders.proxySocket,
  INSTRUCTIONS: join(folders.instructions, "instructions.md"),
});

function plantKeys({ home, keys }: HomeLayout, own: Identity) {
  const folders = [home, keys, join(home, ".ssh")];
  const files = { KEY: join(keys, "a-key"), SSH_KEY: join(home, ".ssh", "id_ed25519") };
  for (const folder of folders) mkdirSync(folder, { mode: 0o700 });
  for (const file of Object.values(files)) writeFileSync(file, "canary", { mode: 0o600 });
  for (const path of [...folders, ...Object.values(files)]) chownSync(path, own.uid, own.gid);
  return files;
}

/** Files that belong to another session, to another group, and to root in the session's own reach. */
function plantFiles({ home }: HomeLayout, session: SandboxedSession, other: SandboxedSession, own: Identity) {
  const group = join(home, "volumes", "other", "agent");
  mkdirSync(group, { recursive: true });
  const files = {
    OTHER_SESSION: join(other.folders.workspace, "f"),
    OTHER_GROUP: join(group, "f"),
    ROOT_FILE: join(session.folders.agentDir, "roots"),
    SETUID_ID: join(session.folders.agentDir, "setuid-id"),
  };
  for (const path of [files.OTHER_SESSION, files.OTHER_GROUP, files.ROOT_FILE]) {
    writeFileSync(path, "canary", { mode: 0o600 });
  }
  const { uid, gid } = lstatSync(other.folders.workspace);
  chownSync(files.OTHER_SESSION, uid, gid);
  for (const path of [dirname(group), group, files.OTHER_GROUP]) chownSync(path, own.uid, own.gid);
  plantSetuid(files.SETUID_ID);
  return files;
}

/** A program that root owns and everybody runs as root. A file that is not root's is nobody's gain. */
function plantSetuid(path: string): void {
  copyFileSync("/usr/bin/id", path);
  chmodSync(path, 0o4755);
}

/** A process of the machine with a name and an environment that can be looked for. */
function startMarked(mark: string, uid: number): AsyncDisposable & { readonly mark: string; readonly pid: number } {
  const child = spawn("/bin/sleep", ["1000"], { argv0: mark, env: { MARK_OF: mark }, stdio: "ignore", uid, gid: uid });
  const exited = once(child, "exit");
  return {
    mark,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
