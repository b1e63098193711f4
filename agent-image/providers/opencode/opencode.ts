import { join } from "node:path";
import { EventStream } from "../event-stream.ts";
import { findUpstream, upstreamMissing } from "../needs.ts";
import type {
  Provider,
  ProviderDeps,
  ProviderEvent,
  ProviderFactory,
  ProviderUpstream,
  Turn,
  TurnInput,
} from "../provider.ts";
import { type Failed, fail } from "./failure.ts";
import { Server } from "./server.ts";
import { prepareHome } from "./settings.ts";
import { OpenCodeTurn } from "./turn.ts";

const binary = join("node_modules", "opencode-linux-x64", "bin", "opencode");

const noUpstream = fail("permanent", upstreamMissing("opencode"));
const noModel = fail("permanent", "the provider opencode needs spec.agent.model");

/**
 * OpenCode through its own server: one `opencode serve` that stays between turns, and is started anew when it has died.
 * The continuation is the id of a conversation in OpenCode's database, which lies in the session's HOME.
 */
export const createOpenCode: ProviderFactory = async (deps) => new OpenCode(deps);

class OpenCode implements Provider {
  readonly name = "opencode";
  readonly #deps: ProviderDeps;
  readonly #upstream: ProviderUpstream | undefined;
  /** The newest, ready or not. */
  #server: Server | undefined;
  #ready: Promise<Server | undefined> = Promise.resolve(undefined);
  #closed = false;

  constructor(deps: ProviderDeps) {
    this.#deps = deps;
    this.#upstream = findUpstream("opencode", deps.upstreams);
  }

  start(input: TurnInput): Turn {
    const { model, time, log } = this.#deps;
    const upstream = this.#upstream;
    if (!upstream) return failedTurn(noUpstream);
    if (model === undefined) return failedTurn(noModel);
    return new OpenCodeTurn(input, { server: () => this.#connect(upstream, model), time, log });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#server?.close();
    await this.#ready.catch(() => undefined);
  }

  #connect(upstream: ProviderUpstream, model: string): Promise<Server> {
    const ready = this.#ready
      .catch(() => undefined)
      .then((last) => (last && !last.lost.aborted ? last : this.#launch(upstream, model)));
    this.#ready = ready;
    return ready;
  }

  async #launch(upstream: ProviderUpstream, model: string): Promise<Server> {
    await this.#server?.close();
    const { workspace, harnessDir, log } = this.#deps;
    const home = await prepareHome(this.#deps, upstream, model);
    if (this.#closed) throw new Error("the provider is closed");
    const server = new Server({ binary: join(harnessDir, binary), home, workspace, log });
    this.#server = server;
    try {
      await server.connect();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }
}

function failedTurn(failed: Failed): Turn {
  const events = new EventStream<ProviderEvent>();
  events.write(failed);
  events.close();
  return { events, push: () => undefined, interrupt: async () => undefined };
}
