import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Logger } from "pino";
import type { z } from "zod";
import type { Time } from "../../runner/time.ts";
import { anythingSchema, type Notification, serverLineSchema } from "./protocol.ts";

/** All requests are answered when their work has begun, not when it is over. */
const responseTimeoutMs = 30_000;
/** A server whose input has ended stops its commands and exits; after this long it is killed. */
const exitGraceMs = 1_000;
/** JSON-RPC: "method not found". We show nothing to a person and approve nothing. */
const methodNotFound = -32_601;

/** The server refused a request. */
export class RefusedError extends Error {}
/** The process ended, or does not answer. */
export class ServerLostError extends Error {}

export interface AppServerOptions {
  readonly binary: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly time: Time;
  readonly log: Logger;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One process of `codex app-server`: JSON-RPC, a message a line. */
export class AppServer {
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>;
  onNotification: (notification: Notification) => void = () => undefined;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #time: Time;
  readonly #log: Logger;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #lost = false;

  constructor({ binary, args, cwd, env, time, log }: AppServerOptions) {
    this.#time = time;
    this.#log = log;
    this.#process = spawn(binary, args, { cwd, env: { ...env }, stdio: ["pipe", "pipe", "pipe"] });
    this.exited = new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.once("error", (error) => {
        log.warn({ err: error }, "codex could not be started");
        resolve();
      });
    });
    void this.exited.then(() => this.#onExit());
    this.#process.stdin.on("error", (error) => log.debug({ err: error }, "codex takes no more input"));
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#onLine(line));
    createInterface({ input: this.#process.stderr }).on("line", (line) => log.debug({ line }, "codex says"));
  }

  get isAlive(): boolean {
    return !this.#lost;
  }

  /** @throws RefusedError, ServerLostError */
  async request<S extends z.ZodType>(method: string, params: object, result: S): Promise<z.output<S>> {
    if (this.#lost) throw new ServerLostError("Codex has ended.");
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#write({ id, method, params });
    const over = new AbortController();
    void this.#expire(id, method, over.signal);
    try {
      return result.parse(await answered);
    } finally {
      over.abort();
      this.#pending.delete(id);
    }
  }

  /** Begins the conversation. @throws RefusedError, ServerLostError */
  async initialize(): Promise<void> {
    const clientInfo = { name: "copepod", title: null, version: "0" };
    const capabilities = { experimentalApi: true, requestAttestation: false };
    await this.request("initialize", { clientInfo, capabilities }, anythingSchema);
    this.#write({ method: "initialized" });
  }

  /** Ends the process and the commands that it runs. Bounded. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    const over = new AbortController();
    await Promise.race([this.exited, this.#time.sleep(exitGraceMs, over.signal)]);
    over.abort();
    this.kill();
    await this.exited;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #write(message: object): void {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #onLine(line: string): void {
    const message = parseLine(line);
    if (!message) {
      this.#log.debug("codex wrote a line that is no message");
      return;
    }
    const { id, method, params, result, error } = message;
    if (method === undefined) {
      const pending = this.#pending.get(Number(id));
      if (error) pending?.reject(new RefusedError(error.message));
      else pending?.resolve(result);
      return;
    }
    if (id !== undefined) this.#write({ id, error: { code: methodNotFound, message: "nobody can answer this" } });
    this.onNotification({ method, params });
  }

  #onExit(): void {
    this.#lost = true;
    for (const { reject } of this.#pending.values()) reject(new ServerLostError("Codex ended unexpectedly."));
  }

  async #expire(id: number, method: string, over: AbortSignal): Promise<void> {
    await this.#time.sleep(responseTimeoutMs, over);
    this.#pending.get(id)?.reject(new ServerLostError(`Codex did not answer to ${method} in time.`));
  }
}

function parseLine(line: string): z.output<typeof serverLineSchema> | undefined {
  try {
    return serverLineSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
