import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SessionContext } from "@copepod/core/mailbox-api";
import type { ProxyClient } from "@copepod/core/proxy-api";
import type { Logger } from "pino";
import type { Provider, ProviderDeps, ProviderUpstream, Skill, Tools } from "../providers/provider.ts";
import type { Life } from "./life.ts";
import type { Retry } from "./retry.ts";
import type { Time } from "./time.ts";
import type { ToolsServer } from "./tools-server.ts";

/** A provider that is asked to close has this long. */
const closeGraceMs = 2_000;

/** @throws CopepodError `providerMissing`, `sandboxMissing` */
export type CreateProvider = (name: string, deps: Omit<ProviderDeps, "harnessDir">) => Promise<Provider>;

export interface CurrentProviderDeps {
  readonly createProvider: CreateProvider;
  readonly proxy: ProxyClient;
  /** Where harnesses reach the proxy: `http://127.0.0.1:<port>`. */
  readonly proxyUrl: string;
  /** Shows tools to harnesses. */
  readonly serveTools: (tools: Tools) => Promise<ToolsServer>;
  readonly workspace: string;
  readonly agentDir: string;
  /** Environment of the provider's own processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly retry: Retry;
  readonly life: Life;
  readonly time: Time;
  readonly log: Logger;
}

interface Made {
  readonly provider: Provider;
  /** All that it was made from, as text: another one is made when that changes. */
  readonly from: string;
}

/** The provider that runs the turns: made when it is first needed, and anew when what it was made from has changed. */
export class CurrentProvider implements AsyncDisposable {
  readonly #deps: CurrentProviderDeps;
  readonly #tools: Tools;
  #toolsServer: Promise<ToolsServer> | undefined;
  #made: Made | undefined;
  #making: Promise<unknown> = Promise.resolve();
  /** Aborts when what is being made is no longer wanted. */
  #abandoned = new AbortController();

  constructor(deps: CurrentProviderDeps, tools: Tools) {
    this.#deps = deps;
    this.#tools = tools;
  }

  /** @throws CopepodError `providerMissing`, `sandboxMissing` */
  of(context: SessionContext): Promise<Provider> {
    const { signal } = this.#abandoned;
    const made = this.#making.then(() => this.#make(context, signal));
    this.#making = made.catch(() => undefined);
    return made;
  }

  /** Begins to make it before a turn asks for it, while other things are waited for. What hinders it the turn will see. */
  expect(context: SessionContext): void {
    void this.of(context).catch(() => undefined);
  }

  async #make({ provider: name, agent }: SessionContext, abandoned: AbortSignal): Promise<Provider> {
    const upstreams = await this.#upstreams();
    const from = JSON.stringify({ name, agent, upstreams });
    if (this.#made?.from === from) return this.#made.provider;
    await this.#close();
    abandoned.throwIfAborted();
    const { createProvider, serveTools, workspace, agentDir, env, time, log } = this.#deps;
    this.#toolsServer ??= serveTools(this.#tools);
    const own = (await this.#toolsServer).server;
    const provider = await createProvider(name, {
      ...{ workspace, agentDir, time, log, upstreams, tools: this.#tools },
      // What the runner itself says wins: HOME and the folders are not the group's to choose.
      env: { ...agent.env, ...env },
      model: agent.model,
      effort: agent.effort,
      mcpServers: [own, ...agent.mcpServers.map((server) => ({ kind: "stdio", ...server }) as const)],
      skills: this.#skills(agent.skills),
    });
    const made = { provider, from };
    if (abandoned.aborted) await this.#end(made);
    abandoned.throwIfAborted();
    this.#made = made;
    return provider;
  }

  /** Ends the provider, and gives up one that is being made: the next one does not wait for it. */
  async discard(): Promise<void> {
    this.#abandoned.abort();
    this.#abandoned = new AbortController();
    this.#making = Promise.resolve();
    await this.#close();
  }

  async #close(): Promise<void> {
    const made = this.#made;
    this.#made = undefined;
    if (made) await this.#end(made);
  }

  /** Ends all that it runs, so that the next one finds their files closed. Waits only so long. */
  async #end(made: Made): Promise<void> {
    const { time, log } = this.#deps;
    const over = new AbortController();
    const closed = made.provider.close().catch((error: unknown) => log.warn({ err: error }, "provider not closed"));
    await Promise.race([closed, time.sleep(closeGraceMs, over.signal)]);
    over.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
    await (await this.#toolsServer)?.[Symbol.asyncDispose]();
  }

  async #upstreams(): Promise<ProviderUpstream[]> {
    const { proxy, proxyUrl, retry, life } = this.#deps;
    const { upstreams } = await retry("upstreams", life.ended, (options) => proxy.upstreams({}, options));
    return upstreams.map((upstream) => ({ ...upstream, baseUrl: `${proxyUrl}/${upstream.name}` }));
  }

  #skills(names: readonly string[]): Skill[] {
    return names.flatMap((name) => {
      const path = join(this.#deps.agentDir, "skills", name);
      if (existsSync(join(path, "SKILL.md"))) return [{ name, path }];
      this.#deps.log.warn({ skill: name }, "the agent group has no such skill");
      return [];
    });
  }
}
