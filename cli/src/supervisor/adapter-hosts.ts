import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "@copepod/core/supervisor-api";
import { folderName } from "../home/layout.ts";
import { nodeProgram } from "./child.ts";
import { hostEnvironment } from "./commands.ts";
import { type Kept, keepRunning } from "./keep.ts";
import type { LogFile } from "./log-file.ts";
import type { ProcessList } from "./process-list.ts";
import type { SupervisorDeps } from "./supervisor-deps.ts";

export interface ChannelWish {
  /** Row key of the Channel. */
  readonly channel: string;
  readonly type: string;
}

interface RunningHost {
  readonly type: string;
  readonly kept: Kept;
  readonly log: LogFile;
}

/** One adapter host per channel with an external adapter. A host that fails is tried for ever: its channel is down so long. */
export class AdapterHosts {
  readonly #hosts = new Map<string, RunningHost>();
  readonly #list: ProcessList;
  readonly #deps: SupervisorDeps;
  #last: Promise<void> = Promise.resolve();

  constructor(list: ProcessList, deps: SupervisorDeps) {
    this.#list = list;
    this.#deps = deps;
  }

  /** Makes what runs match the full list. Calls are carried out one after the other. */
  put(wishes: readonly ChannelWish[], graceMs: number): Promise<void> {
    for (const { channel } of wishes) folderName(channel);
    this.#last = this.#last.catch(() => {}).then(() => this.#match(wishes, graceMs));
    return this.#last;
  }

  kill(): void {
    for (const { kept } of this.#hosts.values()) kept.kill();
  }

  async #match(wishes: readonly ChannelWish[], graceMs: number): Promise<void> {
    const wanted = new Map(wishes.map((wish) => [wish.channel, wish.type]));
    const superfluous = [...this.#hosts].filter(([channel, host]) => wanted.get(channel) !== host.type);
    await Promise.all(superfluous.map(([channel, host]) => this.#end(channel, host, graceMs)));
    for (const [channel, type] of wanted) {
      if (!this.#hosts.has(channel)) this.#start(channel, type);
    }
  }

  #start(channel: string, type: string): void {
    const { places, childEnvironment, scripts, startChild, ensureRunFolder, openLog } = this.#deps;
    const token = randomBytes(32).toString("base64url");
    const tokenHash = createHash("sha256").update(token).digest("hex");
    const tokenFile = join(places.run.hosts, folderName(channel));
    const tell = (phase: Host["phase"], reason?: string) =>
      this.#list.setHost(channel, { channel, tokenHash, phase, ...(reason === undefined ? {} : { reason }) });
    tell("Starting");
    const log = openLog(`host-${folderName(channel)}`);
    const env = { ...childEnvironment, ...hostEnvironment(places, type, tokenFile) };
    const kept = keepRunning(
      {
        name: `adapter host of ${channel}`,
        start: () => {
          ensureRunFolder();
          writeFileSync(tokenFile, token, { mode: 0o600 });
          return startChild({ ...nodeProgram(scripts.host, env), log });
        },
        onStarted: () => tell("Running"),
        onFailing: (reason) => {
          tell("Failed", reason);
          return true;
        },
      },
      this.#deps,
    );
    this.#hosts.set(channel, { type, kept, log });
  }

  async #end(channel: string, host: RunningHost, graceMs: number): Promise<void> {
    await host.kept.end(graceMs);
    host.log[Symbol.dispose]();
    this.#hosts.delete(channel);
    this.#list.setHost(channel, undefined);
  }
}
