import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "@copepod/adapter-kit/pause";
import { type AdminClient, adminApi } from "@copepod/core/admin-api";
import { createClient } from "@copepod/core/endpoint";
import { Agent, request } from "undici";
import { stringify } from "yaml";

const main = join(import.meta.dirname, "../../cli/src/main.ts");

/** A system that starts slower than this, on a machine that is busy with other tests, does not start. */
const readyMs = 60_000;
const stopMs = 60_000;
const lookEveryMs = 100;
const answerMs = 40_000;

/** A whole Copepod as a person starts it, in a folder of its own. */
export interface RunningSystem {
  readonly supervisor: number;
  readonly home: string;
  readonly admin: AdminClient;
  /** Ends it as Ctrl-C does, and resolves when the supervisor is gone. */
  stop(): Promise<void>;
}

export interface SystemOptions {
  /** An empty folder. */
  readonly home: string;
  /** By file name. */
  readonly resources: Readonly<Record<string, object>>;
  /** Names of Channels that have to be connected. */
  readonly channels: readonly string[];
  readonly signal: AbortSignal;
}

/** Starts `copepod up` and waits until it is ready. */
export async function startSystem(options: SystemOptions): Promise<RunningSystem> {
  const { home } = options;
  await mkdir(join(home, "resources"), { recursive: true });
  for (const [name, resource] of Object.entries(options.resources)) {
    await writeFile(join(home, "resources", name), stringify(resource));
  }
  const child = spawn(process.execPath, [main, "up", "--home", home], { stdio: ["ignore", "pipe", "pipe"] });
  const output = createWriteStream(join(home, "up.log"));
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  // The run folder is named by a link in the home.
  const dispatcher = new Agent({
    connect: { socketPath: join(home, "run", "admin.sock") },
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
  });
  const admin = connect(dispatcher);
  const stop = async () => {
    await dispatcher.destroy();
    await end(child);
    output.end();
  };
  try {
    await untilReady(child, admin, options);
    return { supervisor: child.pid ?? 0, home, admin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function connect(dispatcher: Agent): AdminClient {
  return createClient(adminApi, {
    baseUrl: "http://router",
    async fetch(url, { method, ...init }) {
      const verb = method === "PUT" || method === "POST" ? method : "GET";
      const { statusCode, body } = await request(url, { dispatcher, method: verb, ...init });
      return { status: statusCode, text: () => body.text() };
    },
  });
}

async function untilReady(child: ChildProcess, admin: AdminClient, options: SystemOptions): Promise<void> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(readyMs)]);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`copepod up ended with ${child.exitCode}; see ${options.home}/up.log`);
    if (await isReady(admin, options.channels, signal)) return;
    if (signal.aborted) throw new Error(`copepod up is not ready; see ${options.home}/up.log and logs/`);
    await pause(lookEveryMs, signal);
  }
}

async function isReady(admin: AdminClient, channels: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    const status = await admin.status({}, { signal });
    const connected = status.channels.filter(({ state }) => state === "ready").map(({ channel }) => channel);
    return status.ready && channels.every((name) => connected.includes(name));
  } catch {
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await exited;
  clearTimeout(timer);
}
