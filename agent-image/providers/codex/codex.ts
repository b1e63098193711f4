import type { Effort } from "@copepod/core/agent";
import type { Provider, ProviderDeps, ProviderFactory, ProviderUpstream, Turn, TurnInput } from "../provider.ts";
import { AppServer, RefusedError } from "./app-server.ts";
import type { Failed } from "./failure.ts";
import { findCodex, prepareHome } from "./home.ts";
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
    return new CodexTurn(input, { open: (continuation) => this.#queueOpening(continuation), time: this.#deps.time });
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #queueOpening(continuation: string | undefined): Promise<OpenSession | Failed> {
    const opening = this.#opening.then(() => this.#open(continuation));
    this.#opening = opening.catch(() => undefined);
    return opening;
  }

  async #open(continuation: string | undefined): Promise<OpenSession | Failed> {
    if (!this.#upstream) return noCredential;
    const session = this.#session;
    if (session?.server.isAlive && session.threadId === continuation) return session;
    this.#session = undefined;
    await this.#server?.close();
    this.#server = await this.#startServer(this.#upstream);
    await this.#server.initialize();
    return await this.#openThread(this.#server, continuation);
  }

  async #startServer(upstream: ProviderUpstream): Promise<AppServer> {
    const { harnessDir, workspace, time, log } = this.#deps;
    const { binary, toolsDir } = findCodex(harnessDir);
    const env = await prepareHome(this.#deps, upstream, toolsDir);
    return new AppServer({ binary, args: ["app-server", "--strict-config"], cwd: workspace, env, time, log });
  }

  async #openThread(server: AppServer, continuation: string | undefined): Promise<OpenSession | Failed> {
    const { workspace: cwd, model, effort } = this.#deps;
    const settings = { cwd, model };
    const request =
      continuation === undefined
        ? server.request("thread/start", settings, threadOpenedSchema)
        : server.request(
            "thread/resume",
            { ...settings, threadId: continuation, excludeTurns: true },
            threadOpenedSchema,
          );
    try {
      const opened = await request;
      // A thread that is resumed comes with the model and effort that it had.
      this.#session = {
        server,
        threadId: opened.thread.id,
        model: model ?? opened.model,
        effort: effort === undefined ? opened.reasoningEffort : efforts[effort],
      };
      return this.#session;
    } catch (error) {
      if (continuation === undefined || !(error instanceof RefusedError)) throw error;
      return { kind: "failed", class: "transient", message: error.message, continuationLost: true };
    }
  }
}
