import { mkdir } from "node:fs/promises";
import { CopepodError } from "@copepod/core/errors";
import { onDisk } from "../../runner/agent-files.ts";
import { findUpstream, upstreamMissing } from "../needs.ts";
import type { Provider, ProviderDeps, ProviderFactory, Turn, TurnInput } from "../provider.ts";
import { configDirOf, tempDirOf } from "./options.ts";
import { ClaudeProcess } from "./process.ts";
import { loadSdk, type Sdk } from "./sdk.ts";
import { linkSkills } from "./skills.ts";
import { ClaudeTurn } from "./turn.ts";

/** The Claude Agent SDK, which runs Claude Code: one process, kept from turn to turn. */
export const createClaude: ProviderFactory = async (deps) => {
  const tempDir = tempDirOf(deps);
  const [sdk] = await Promise.all([
    loadSdk(deps.harnessDir),
    linkSkills(configDirOf(deps), deps.skills),
    onDisk(tempDir, mkdir(tempDir, { recursive: true })),
  ]);
  return new Claude(deps, sdk);
};

class Claude implements Provider {
  readonly name = "claude";
  readonly #deps: ProviderDeps;
  readonly #sdk: Sdk;
  #process: ClaudeProcess | undefined;
  #opening: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(deps: ProviderDeps, sdk: Sdk) {
    this.#deps = deps;
    this.#sdk = sdk;
  }

  start(input: TurnInput): Turn {
    const { time, log } = this.#deps;
    return new ClaudeTurn(input, { open: () => this.#openInTurn(input), time, wallClock: Date.now, log });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    await this.#process?.end();
  }

  /** One after the other: two processes must never write to the same session. */
  #openInTurn(input: TurnInput): Promise<ClaudeProcess> {
    const opened = this.#opening.then(() => this.#open(input));
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  async #open({ instructions, continuation }: TurnInput): Promise<ClaudeProcess> {
    const upstream = findUpstream("claude", this.#deps.upstreams);
    if (!upstream) throw new CopepodError("providerFailed", upstreamMissing("claude"));
    if (this.#process?.fits({ instructions, continuation })) return this.#process;
    await this.#process?.end();
    if (this.#closed) throw new Error("the provider is closed");
    this.#process = new ClaudeProcess(this.#sdk, this.#deps, { upstream, instructions, continuation });
    return this.#process;
  }
}
