import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { EventStream } from "../event-stream.ts";
import type { ProviderDeps, ProviderUpstream } from "../provider.ts";
import { archive } from "./archive.ts";
import { toOptions } from "./options.ts";
import {
  compactHookSchema,
  parseMessage,
  promptHookSchema,
  type Query,
  type Sdk,
  type SdkMessage,
  type SpawnRequest,
  type UserMessage,
} from "./sdk.ts";

/** The harness ends its tools when it is asked to end, and has this long for it. */
const endGraceMs = 1_500;
/** Last output on stderr that is kept for the log, in UTF-16 units. */
const maxStderrCharacters = 2_000;

/** Who hears what a process says: the turn that runs. */
export interface Listener {
  /** The harness gives this text to the model. */
  onPrompt(text: string): void;
  /** undefined = a sign of life. */
  onMessage(message: SdkMessage | undefined): void;
  onExit(): void;
}

/** What a process began with, and can't change. */
export interface Beginning {
  readonly upstream: ProviderUpstream;
  readonly instructions: string;
  readonly continuation: string | undefined;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** One process of the harness, kept from turn to turn. */
export class ClaudeProcess {
  listener: Listener | undefined;
  readonly #deps: ProviderDeps;
  readonly #instructions: string;
  readonly #input = new EventStream<UserMessage>();
  readonly #query: Query;
  readonly #reading: Promise<void>;
  #session: string | undefined;
  #child: Child | undefined;
  #stderr = "";
  #ended = false;
  #ending: Promise<void> | undefined;

  constructor(sdk: Sdk, deps: ProviderDeps, { upstream, instructions, continuation }: Beginning) {
    this.#deps = deps;
    this.#instructions = instructions;
    this.#session = continuation;
    const options = toOptions(deps, {
      upstream,
      instructions,
      resume: continuation,
      onPrompt: (input) => this.#onPrompt(input),
      onCompact: (input) => this.#onCompact(input),
      spawn: (request) => this.#spawn(request),
    });
    this.#query = sdk.query({ prompt: this.#input, options });
    this.#reading = this.#read();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether a turn with this input can go on here. */
  fits({ instructions, continuation }: Omit<Beginning, "upstream">): boolean {
    return !this.#ended && instructions === this.#instructions && continuation === this.#session;
  }

  /** @param id comes back in the result that answers the text. */
  send(id: string, text: string): void {
    this.#input.write({
      type: "user",
      message: { role: "user", content: text },
      parent_tool_use_id: null,
      uuid: id,
    });
  }

  async interrupt(): Promise<void> {
    await this.#query.interrupt();
  }

  /** Resolves when nothing of the process runs any more. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#ended = true;
    this.#input.close();
    if (this.#child) await this.#kill(this.#child);
    this.#query.close();
    await this.#reading;
  }

  async #kill(child: Child): Promise<void> {
    if (hasExited(child)) return;
    const over = new AbortController();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await Promise.race([exited, this.#deps.time.sleep(endGraceMs, over.signal)]);
    over.abort();
    if (!hasExited(child)) child.kill("SIGKILL");
    await exited;
  }

  async #read(): Promise<void> {
    const { log } = this.#deps;
    try {
      for await (const message of this.#query) {
        const parsed = parseMessage(message);
        if (parsed?.type === "system" && parsed.subtype === "init") this.#session = parsed.session_id;
        this.listener?.onMessage(parsed);
      }
    } catch (error) {
      if (!this.#ended) log.warn({ err: error, stderr: this.#stderr }, "the harness has ended");
    } finally {
      this.#ended = true;
      this.#input.close();
      this.listener?.onExit();
    }
  }

  #spawn({ command, args, cwd, env }: SpawnRequest): Child {
    if (this.#ended) throw new Error("the process was ended before it began");
    const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-maxStderrCharacters);
    });
    // It may end before it has read everything.
    child.stdin.on("error", () => undefined);
    this.#child = child;
    return child;
  }

  async #onPrompt(input: unknown): Promise<Record<string, never>> {
    this.listener?.onPrompt(promptHookSchema.parse(input).prompt);
    return {};
  }

  /** Whatever happens to the archive, the compaction goes on. */
  async #onCompact(input: unknown): Promise<Record<string, never>> {
    const { workspace, log } = this.#deps;
    this.listener?.onMessage(undefined);
    try {
      const { transcript_path: transcript, session_id: session } = compactHookSchema.parse(input);
      await archive(transcript, session, join(workspace, "conversations"));
    } catch (error) {
      log.warn({ err: error }, "conversation not archived");
    }
    return {};
  }
}

/** Also true when it could not be started. */
const hasExited = ({ pid, exitCode, signalCode }: Child): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null;
