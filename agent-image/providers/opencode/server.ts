import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Logger } from "pino";
import { Agent, request } from "undici";
import { endProcesses } from "./processes.ts";
import type { Home } from "./settings.ts";
import { readSignal, type SessionSignal } from "./signals.ts";
import { readEvents } from "./sse.ts";

/** A server that is not ready by then is given up; on a busy machine the start takes several seconds. */
const startMs = 60_000;
/** The server answers at once; what waits for a model comes as events. Its first answer also reads the settings. */
const callMs = 30_000;
const user = "opencode";
const passwordVariable = "OPENCODE_SERVER_PASSWORD";
const addressLine = /listening on (http:\/\/127\.0\.0\.1:\d+)/;

export interface ServerDeps {
  readonly binary: string;
  readonly home: Home;
  readonly workspace: string;
  readonly log: Logger;
}

export interface Reply {
  readonly status: number;
  /** Undefined where the answer has no body. */
  readonly body: unknown;
}

type Listener = (signal: SessionSignal) => void;

/** One `opencode serve`, with the stream of its events. */
export class Server {
  /** Aborts when the server has died, or no longer tells its events. */
  readonly lost: AbortSignal;
  readonly #deps: ServerDeps;
  readonly #password = randomBytes(24).toString("base64url");
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended = new AbortController();
  readonly #agent = new Agent({ headersTimeout: callMs, bodyTimeout: 0 });
  readonly #listeners = new Set<Listener>();
  #url = "";
  #closing: Promise<void> | undefined;

  constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.lost = this.#ended.signal;
    const env = { ...deps.home.env, OPENCODE_SERVER_USERNAME: user, [passwordVariable]: this.#password };
    const args = ["serve", "--hostname", "127.0.0.1", "--port", "0", "--log-level", "ERROR"];
    this.#child = spawn(deps.binary, args, { cwd: deps.workspace, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.on("error", (error) => this.#end(error));
    this.#child.once("exit", (code, signal) => this.#end(new Error(`OpenCode exited with ${code ?? signal}`)));
  }

  /** To be awaited once, before anything else. @throws Error the program can't be run, or does not become ready */
  async connect(): Promise<void> {
    const signal = AbortSignal.any([this.lost, AbortSignal.timeout(startMs)]);
    this.#url = await this.#readAddress(signal);
    const { statusCode, body } = await this.#request("/event", { method: "GET", signal: this.lost });
    if (statusCode !== 200) throw new Error(`OpenCode answered ${statusCode} when it was asked for its events`);
    await this.#follow(readEvents(body), signal);
  }

  /** Hears of all conversations. @returns ends it */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws Error the server does not answer */
  async call(method: "POST" | "DELETE", path: string, input?: unknown): Promise<Reply> {
    const signal = AbortSignal.any([this.lost, AbortSignal.timeout(callMs)]);
    const sent = input === undefined ? {} : { body: JSON.stringify(input) };
    const { statusCode, body } = await this.#request(path, { method, signal, ...sent });
    const text = await body.text();
    return { status: statusCode, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** Ends the server and all that it has started. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Its database survives that, and what it has started would outlive a polite end as well.
    if (isRunning(this.#child)) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    await endProcesses(passwordVariable, this.#password);
    await this.#agent.destroy();
    await rm(this.#deps.home.tmpDir, { recursive: true, force: true, maxRetries: 3 });
  }

  #end(reason: Error): void {
    this.#ended.abort(reason);
  }

  async #readAddress(signal: AbortSignal): Promise<string> {
    createInterface(this.#child.stderr).on("line", (line) => this.#deps.log.debug({ line }, "OpenCode says"));
    const lines = createInterface(this.#child.stdout);
    const address = Promise.withResolvers<string>();
    lines.on("line", (line) => {
      const url = addressLine.exec(line)?.[1];
      if (url) address.resolve(url);
    });
    const stop = () => address.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    return await address.promise;
  }

  /** Resolves at the first event: from then on nothing is missed. */
  async #follow(events: AsyncGenerator<string>, signal: AbortSignal): Promise<void> {
    const first = await events.next();
    signal.throwIfAborted();
    if (first.done) throw new Error("OpenCode tells no events");
    void this.#read(events);
  }

  async #read(events: AsyncGenerator<string>): Promise<void> {
    try {
      for await (const data of events) this.#tell(data);
      this.#end(new Error("OpenCode has ended the stream of its events"));
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #tell(data: string): void {
    const signal = readSignal(data);
    if (signal) for (const listener of this.#listeners) listener(signal);
  }

  #request(path: string, options: { method: "GET" | "POST" | "DELETE"; signal: AbortSignal; body?: string }) {
    const authorization = `Basic ${Buffer.from(`${user}:${this.#password}`).toString("base64")}`;
    return request(`${this.#url}${path}`, {
      ...options,
      headers: { authorization, "content-type": "application/json" },
      dispatcher: this.#agent,
    });
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;
