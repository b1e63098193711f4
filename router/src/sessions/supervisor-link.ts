import { setTimeout as pause } from "node:timers/promises";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs } from "@copepod/core/limits";
import type { Host, Pod, SupervisorClient } from "@copepod/core/supervisor-api";
import type { Logger } from "pino";
import type { SessionWish } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import { groupRules } from "./proxy-rules.ts";
import type { Identities, PodIdentity, SessionStarter } from "./session-starter.ts";

export interface SupervisorLinkDeps {
  readonly client: SupervisorClient;
  readonly resources: Pick<ResourceStore, "current">;
  readonly random: () => number;
  readonly log: Logger;
}

/** Answered at once, whatever the supervisor's version is. */
const unseen = -1;

/** What the link tells the rest of the router. */
export interface SupervisorListener {
  /** After each (re)connect, before anything else: say everything again. */
  connected(): void;
  pods(pods: readonly Pod[]): Promise<void>;
}

/** The router's side of the supervisor's socket: says wishes, follows the list of what runs. */
export class SupervisorLink implements SessionStarter, Identities {
  readonly #deps: SupervisorLinkDeps;
  #pods: ReadonlyMap<string, PodIdentity> = new Map();
  #hosts: ReadonlyMap<string, string> = new Map();
  #connected = false;

  constructor(deps: SupervisorLinkDeps) {
    this.#deps = deps;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async put(wish: SessionWish): Promise<void> {
    const { rules } = groupRules(this.#deps.resources.current(), wish.group);
    await this.#deps.client.putWanted({ ...wish, rules });
  }

  async putChannels(channels: readonly { channel: string; type: string }[]): Promise<void> {
    await this.#deps.client.putChannels({ channels: [...channels] });
  }

  sessionOf(tokenHash: string): PodIdentity {
    const pod = this.#pods.get(tokenHash);
    if (pod) return pod;
    throw new CopepodError("podUnknown", "this pod is not known yet");
  }

  channelOf(tokenHash: string): string {
    const channel = this.#hosts.get(tokenHash);
    if (channel !== undefined) return channel;
    throw new CopepodError("podUnknown", "this adapter host is not known yet");
  }

  /** Follows the list until the signal aborts. */
  async follow(listener: SupervisorListener, signal: AbortSignal): Promise<void> {
    let version = unseen;
    let failures = 0;
    while (!signal.aborted) {
      try {
        version = await this.#look(version, listener, signal);
        failures = 0;
      } catch (err) {
        if (signal.aborted) return;
        this.#connected = false;
        version = unseen;
        failures += 1;
        if (failures === 1) this.#deps.log.warn({ err }, "the supervisor does not answer");
        await pause(backoffMs(reconnectBackoff, failures, this.#deps.random()), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #look(version: number, listener: SupervisorListener, signal: AbortSignal): Promise<number> {
    const list = await this.#deps.client.watch({ version, waitMs: longPollMs }, { signal });
    const reconnected = !this.#connected;
    this.#adopt(list.pods, list.hosts);
    if (reconnected) listener.connected();
    if (reconnected || list.version !== version) await listener.pods(list.pods);
    return list.version;
  }

  #adopt(pods: readonly Pod[], hosts: readonly Host[]): void {
    this.#pods = new Map(pods.map((pod) => [pod.tokenHash, pod]));
    this.#hosts = new Map(hosts.map((host) => [host.tokenHash, host.channel]));
    this.#connected = true;
  }
}
