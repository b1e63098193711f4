import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultHarnessesDir } from "@copepod/agent-image/harnesses/harness";
import { type AdminClient, adminApi, type Line, type MessageRow, type SessionRow } from "@copepod/core/admin-api";
import { createClient } from "@copepod/core/endpoint";
import { Agent, fetch } from "undici";
import { stringify } from "yaml";
import { Conversations, ignoringOutages } from "./conversations.ts";
import { type FoundProcess, isAlive, kill, type Program, programsOf } from "./processes.ts";
import type { StorySystem } from "./story-system.ts";
import { until } from "./until.ts";

const cli = fileURLToPath(import.meta.resolve("@copepod/cli/main"));
const endWithinMs = 90_000;

/** The smallest set of resources for a chat at the terminal. */
export const terminalResources = (session: object = {}): object[] => [
  { kind: "AgentGroup", metadata: { name: "helper" }, spec: { session } },
  {
    kind: "Channel",
    metadata: { name: "terminal" },
    spec: { type: "terminal", defaults: { unknownSenders: "Public" }, senderRatePerMinute: 10_000 },
  },
  {
    kind: "Wiring",
    metadata: { name: "terminal-helper" },
    spec: { channel: "terminal", conversation: { kind: "Direct" }, group: "helper" },
  },
];

/** The real process tree of `copepod up` in a temporary home. */
export class System implements StorySystem {
  readonly home: string;
  readonly #ownsHome: boolean;
  readonly #as: readonly string[];
  #supervisor: ChildProcess | undefined;
  #admin: AdminClient | undefined;
  #agent: Agent | undefined;
  #said = "";
  readonly #conversations = new Conversations({ admin: () => this.admin, namespace: "default", prefix: "" });

  private constructor(home: string, ownsHome: boolean, as: readonly string[]) {
    this.home = home;
    this.#ownsHome = ownsHome;
    this.#as = as;
  }

  /**
   * @param home an existing folder, which stays; without it one is made and removed at the end.
   * @param as a command that runs another one, as another user.
   */
  static async start(resources: readonly object[], home?: string, as: readonly string[] = []): Promise<System> {
    const system = new System(home ?? (await mkdtemp(join(tmpdir(), "copepod-e2e-"))), home === undefined, as);
    await mkdir(join(system.home, "resources"));
    for (const [index, resource] of resources.entries()) await system.writeResource(`${index}.yaml`, resource);
    await system.up();
    return system;
  }

  get admin(): AdminClient {
    if (!this.#admin) throw new Error("the system is not up");
    return this.#admin;
  }

  /** Process id of the supervisor. */
  get pid(): number {
    const pid = this.#supervisor?.pid;
    if (pid === undefined) throw new Error("the system is not up");
    return pid;
  }

  async writeResource(file: string, resource: object): Promise<void> {
    await this.writeFile(file, stringify({ apiVersion: "copepod.dev/v1alpha1", ...resource }));
  }

  async writeFile(file: string, text: string): Promise<void> {
    await writeFile(join(this.home, "resources", file), text);
  }

  async up(): Promise<void> {
    this.#said = "";
    const [program, ...args] = [...this.#as, process.execPath, cli, "up", "--home", this.home];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH,
        HOME: this.home,
        COPEPOD_LOG_LEVEL: process.env.COPEPOD_LOG_LEVEL ?? "info",
        COPEPOD_HARNESSES_DIR: defaultHarnessesDir(process.env, homedir()),
      },
    });
    this.#supervisor = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#said += text;
      });
    }
    await until(
      "copepod up is ready",
      () => {
        if (child.exitCode !== null) throw new Error(`copepod up ended with ${child.exitCode}: ${this.#said}`);
        return this.#said.includes("Copepod is ready");
      },
      60_000,
    );
    const dispatcher = new Agent({ connect: { socketPath: join(this.home, "run", "admin.sock") } });
    this.#agent = dispatcher;
    this.#admin = createClient(adminApi, {
      fetch: (url, init) => fetch(url, { ...init, dispatcher }),
      baseUrl: "http://admin",
    });
  }

  /** Ends the supervisor with a signal and waits until it is gone. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#supervisor;
    this.#supervisor = undefined;
    await this.#agent?.destroy();
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit", { signal: AbortSignal.timeout(endWithinMs) });
    child.kill(signal);
    await ended;
  }

  async processes(): Promise<FoundProcess[]> {
    return await programsOf(this.pid);
  }

  /** Waits until the adapter hosts of these Channels are connected to their platforms. */
  async connected(...channels: readonly string[]): Promise<void> {
    await until("the channels are connected", async () => {
      const status = await ignoringOutages(() => this.admin.status({}));
      const ready = status?.channels.filter(({ state }) => state === "ready").map(({ channel }) => channel) ?? [];
      return channels.every((channel) => ready.includes(channel));
    });
  }

  /** Kills all processes of a program and waits until they are gone. @returns how many */
  async kill(program: Program): Promise<number> {
    const found = (await this.processes()).filter((process) => process.program === program);
    for (const process of found) kill(process);
    for (const { pid } of found) await until(`${program} is gone`, async () => !(await isAlive(pid)));
    return found.length;
  }

  async say(conversation: string, text: string): Promise<{ id: string; session: string }> {
    return await this.#conversations.say(conversation, text);
  }

  async stop(conversation: string): Promise<{ stopping: boolean }> {
    return await this.#conversations.stop(conversation);
  }

  async lines(conversation: string): Promise<Line[]> {
    return await this.#conversations.lines(conversation);
  }

  async answerTo(conversation: string, id: string, timeoutMs?: number): Promise<string[]> {
    return await this.#conversations.answerTo(conversation, id, timeoutMs);
  }

  async ask(conversation: string, text: string, timeoutMs?: number): Promise<string> {
    return await this.#conversations.ask(conversation, text, timeoutMs);
  }

  async sessions(): Promise<SessionRow[]> {
    return (await this.admin.listSessions({})).items;
  }

  async messages(session: string, state: MessageRow["state"]): Promise<MessageRow[]> {
    return (await this.admin.listMessages({ session, state })).items;
  }

  async retry(id: string): Promise<MessageRow> {
    return (await this.admin.retry({ id })).item;
  }

  async hasPod(): Promise<boolean> {
    return (await this.processes()).some(({ program }) => program === "runner");
  }

  async restart(): Promise<void> {
    await this.end("SIGTERM");
    await this.up();
  }

  async logs(): Promise<string> {
    const folder = join(this.home, "logs");
    const files = await readdir(folder);
    return (await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")))).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
    if (this.#ownsHome) await rm(this.home, { recursive: true, force: true });
  }
}
