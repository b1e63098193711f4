import type { Effort } from "@copepod/core/agent";
import { findUpstream, upstreamMissing } from "../needs.ts";
import type { Provider, ProviderDeps, ProviderFactory, ProviderUpstream, Turn, TurnInput } from "../provider.ts";
import { AppServer, RefusedError, ServerLostError } from "./app-server.ts";
import type { Failed } from "./failure.ts";
import { findCodex, prepareHome } from "./home.ts";
import { type Continuation, readContinuation, toItem } from "./instructions.ts";
import { anythingSchema, threadOpenedSchema } from "./protocol.ts";
import { CodexTurn, type OpenSession } from "./turn.ts";

const efforts: Readonly<Record<Effort, string>> = { Low: "low", Medium: "medium", High: "high" };

const noCredential: Failed = {
  kind: "failed",
  class: "permanent",
  message: upstreamMissing("codex"),
};

/** Codex, by its `app-server`: one process and one thread, kept between turns. */
export const createCodex: ProviderFactory = async (deps) => new Codex(deps);

class Codex implements Provider {
  readonly name = "codex";
  readonly #deps: ProviderDeps;
  readonly #upstream: ProviderUpstream | undefined;
  #server: AppServer | undefined;
  #session: OpenSession | undefined;
  #closed = false;
  /** A turn that is interrupted early leaves its opening to the next one. */
  #opening: Promise<unknown> = Promise.resolve();

  constructor(deps: ProviderDeps) {
    this.#deps = deps;
    this.#upstream = findUpstream("codex", deps.upstreams);
  }

  start(input: TurnInput): Turn {
    const { time, log } = this.#deps;
    return new CodexTurn(input.prompt, { open: () => this.#queueOpening(input), time, log });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#server?.close();
  }

  #queueOpening(input: TurnInput): Promise<OpenSession | Failed> {
    const opening = this.#opening.then(() => this.#open(input));
    this.#opening = opening.catch(() => undefined);
    return opening;
  }

  async #open({ continuation, instructions }: TurnInput): Promise<OpenSession | Failed> {
    if (!this.#upstream) return noCredential;
    const known = continuation === undefined ? undefined : readContinuation(continuation);
    const loaded = this.#loaded(known);
    if (loaded?.instructions === instructions) return loaded;
    this.#session = undefined;
    const server = loaded ? await unload(loaded) : await this.#startServer(this.#upstream);
    if (!known) return await this.#startThread(server, instructions);
    try {
      return await this.#resumeThread(server, known, instructions);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return { kind: "failed", class: "transient", message: error.message, continuationLost: true };
    }
  }

  #loaded(known: Continuation | undefined): OpenSession | undefined {
    const session = this.#session;
    return session?.server.isAlive && session.threadId === known?.threadId ? session : undefined;
  }

  async #startServer(upstream: ProviderUpstream): Promise<AppServer> {
    await this.#server?.close();
    const { harnessDir, workspace, time, log } = this.#deps;
    const { binary, toolsDir } = findCodex(harnessDir);
    const env = await prepareHome(this.#deps, upstream, toolsDir);
    if (this.#closed) throw new ServerLostError("The provider was closed.");
    const args = ["app-server", "--strict-config"];
    this.#server = new AppServer({ binary, args, cwd: workspace, env, time, log });
    await this.#server.initialize();
    return this.#server;
  }

  async #startThread(server: AppServer, instructions: string): Promise<OpenSession> {
    const { workspace: cwd, model } = this.#deps;
    const params = { cwd, model, developerInstructions: instructions };
    const { thread } = await server.request("thread/start", params, threadOpenedSchema);
    return this.#keep(server, thread.id, instructions);
  }

  async #resumeThread(server: AppServer, known: Continuation, instructions: string): Promise<OpenSession> {
    const { workspace: cwd, model } = this.#deps;
    const { threadId, told } = known;
    const params = { threadId, cwd, model, developerInstructions: instructions, excludeTurns: true };
    await server.request("thread/resume", params, threadOpenedSchema);
    const item = toItem(instructions, told);
    if (item) await server.request("thread/inject_items", { threadId, items: [item] }, anythingSchema);
    return this.#keep(server, threadId, instructions);
  }

  #keep(server: AppServer, threadId: string, instructions: string): OpenSession {
    const { model, effort } = this.#deps;
    this.#session = { server, threadId, instructions, model, effort: effort && efforts[effort] };
    return this.#session;
  }
}

async function unload({ server, threadId }: OpenSession): Promise<AppServer> {
  await server.request("thread/unsubscribe", { threadId }, anythingSchema);
  return server;
}
