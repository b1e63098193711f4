import type { Effort } from "@copepod/core/agent";
import type { Provider, ProviderDeps, ProviderFactory, ProviderUpstream, Turn, TurnInput } from "../provider.ts";
import { AppServer, RefusedError } from "./app-server.ts";
import type { Failed } from "./failure.ts";
import { findCodex, prepareHome } from "./home.ts";
import { type Continuation, digest, Instructions, readContinuation } from "./instructions.ts";
import { threadOpenedSchema } from "./protocol.ts";
import { CodexTurn, type OpenSession } from "./turn.ts";

const efforts: Readonly<Record<Effort, string>> = { Low: "low", Medium: "medium", High: "high" };

const noCredential: Failed = {
  kind: "failed",
  class: "auth",
  message: "the agent group has no credential for an OpenAI API; name one in spec.credentials",
};

/** Codex, by its `app-server`: one process and one thread, kept between turns. */
export const createCodex: ProviderFactory = async (deps) => new Codex(deps);

class Codex implements Provider {
  readonly name = "codex";
  readonly #deps: ProviderDeps;
  readonly #upstream: ProviderUpstream | undefined;
  #server: AppServer | undefined;
  #session: OpenSession | undefined;
  /** A turn that is interrupted early leaves its opening to the next one. */
  #opening: Promise<unknown> = Promise.resolve();

  constructor(deps: ProviderDeps) {
    this.#deps = deps;
    this.#upstream = deps.upstreams.find(({ api }) => api === "OpenAI");
  }

  start(input: TurnInput): Turn {
    return new CodexTurn(input, { open: () => this.#queueOpening(input), time: this.#deps.time });
  }

  async close(): Promise<void> {
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
    const session = this.#session;
    if (session?.server.isAlive && session.threadId === known?.threadId) return session;
    this.#session = undefined;
    await this.#server?.close();
    const server = await this.#startServer(this.#upstream);
    this.#server = server;
    await server.initialize();
    try {
      this.#session = known
        ? await this.#resumeThread(server, known, instructions)
        : await this.#startThread(server, instructions);
      return this.#session;
    } catch (error) {
      if (!(known && error instanceof RefusedError)) throw error;
      return { kind: "failed", class: "transient", message: error.message, continuationLost: true };
    }
  }

  async #startServer(upstream: ProviderUpstream): Promise<AppServer> {
    const { harnessDir, workspace, time, log } = this.#deps;
    const { binary, toolsDir } = findCodex(harnessDir);
    const env = await prepareHome(this.#deps, upstream, toolsDir);
    return new AppServer({ binary, args: ["app-server", "--strict-config"], cwd: workspace, env, time, log });
  }

  async #startThread(server: AppServer, instructions: string): Promise<OpenSession> {
    const { workspace: cwd, model } = this.#deps;
    const params = { cwd, model, developerInstructions: instructions };
    const { thread } = await server.request("thread/start", params, threadOpenedSchema);
    return this.#toSession(server, thread.id, new Instructions(instructions, digest(instructions)));
  }

  async #resumeThread(server: AppServer, known: Continuation, instructions: string): Promise<OpenSession> {
    const { workspace: cwd, model } = this.#deps;
    const { threadId, told } = known;
    const params = { threadId, cwd, model, developerInstructions: instructions, excludeTurns: true };
    await server.request("thread/resume", params, threadOpenedSchema);
    return this.#toSession(server, threadId, new Instructions(instructions, told));
  }

  #toSession(server: AppServer, threadId: string, instructions: Instructions): OpenSession {
    const { model, effort } = this.#deps;
    return { server, threadId, instructions, model, effort: effort && efforts[effort] };
  }
}
