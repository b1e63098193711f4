import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeRouter } from "./fake-router.ts";

const programs = {
  runner: fileURLToPath(new URL("../main.ts", import.meta.url)),
  proxy: fileURLToPath(new URL("../../../credential-proxy/src/main.ts", import.meta.url)),
};

/** Folders, a fake router, and the real programs of one session; all ended and removed when disposed. */
export class SessionProcesses implements AsyncDisposable {
  readonly router = new FakeRouter();
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly #children: ChildProcess[] = [];
  #output = "";
  #wrote = Promise.withResolvers<void>();

  private constructor(folder: string) {
    this.folder = folder;
    this.env = {
      COPEPOD_PROXY_SOCKET: join(folder, "proxy.sock"),
      COPEPOD_MAILBOX_SOCKET: join(folder, "mailbox.sock"),
      COPEPOD_TOKEN_FILE: join(folder, "token"),
      COPEPOD_RULES_FILE: join(folder, "rules.json"),
      COPEPOD_KEYS_DIR: join(folder, "keys"),
      COPEPOD_PLACEHOLDER: "placeholder-of-the-session",
      COPEPOD_INSTRUCTIONS_DIR: join(folder, "instructions"),
      COPEPOD_WORKSPACE: join(folder, "workspace"),
      COPEPOD_AGENT_DIR: join(folder, "agent"),
      COPEPOD_END_WITH_STDIN: "1",
      COPEPOD_LOG_LEVEL: "debug",
    };
  }

  static async create(): Promise<SessionProcesses> {
    const session = new SessionProcesses(await mkdtemp(join(tmpdir(), "copepod-session-")));
    await mkdir(join(session.folder, "workspace"));
    await mkdir(join(session.folder, "agent"));
    await writeFile(join(session.folder, "token"), session.router.token);
    await writeFile(join(session.folder, "rules.json"), JSON.stringify({ group: "demo", upstreams: [], rules: [] }));
    return session;
  }

  /** All that the programs wrote so far, both streams together. */
  get output(): string {
    return this.#output;
  }

  async untilOutput(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) await this.#wrote.promise;
  }

  async startRouter(): Promise<void> {
    await this.router.start(this.env.COPEPOD_MAILBOX_SOCKET ?? "");
  }

  /** @param argv what is run in the place of the program as it stands in the repository. */
  start(program: keyof typeof programs, argv: readonly string[] = [process.execPath, programs[program]]): ChildProcess {
    const [file = "", ...args] = argv;
    const child = spawn(file, args, { env: this.env, stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        this.#wrote.resolve();
        this.#wrote = Promise.withResolvers();
      });
    }
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => kill(child)));
    await this.router.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** @returns the exit code, or the signal that ended the process. */
export async function untilExit(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode;
}

export async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await untilExit(child);
}
