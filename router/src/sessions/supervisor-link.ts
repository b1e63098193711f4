import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { keyOf, splitKey } from "@copepod/core/addresses";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs } from "@copepod/core/limits";
import type { Host, Pod, SupervisorClient } from "@copepod/core/supervisor-api";
import type { Logger } from "pino";
import type { SessionWish } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import { groupRules } from "./proxy-rules.ts";
import type { PodIdentity, StarterLink, StarterListener } from "./session-starter.ts";

export interface SupervisorLinkDeps {
  readonly client: SupervisorClient;
  readonly resources: Pick<ResourceStore, "current">;
  readonly random: () => number;
  readonly log: Logger;
}

/** Answered at once, whatever the supervisor's version is. */
const unseen = -1;

/** The router's side of the supervisor's socket: says wishes, follows the list of what runs. */
export class SupervisorLink implements StarterLink {
  readonly #deps: SupervisorLinkDeps;
  #pods: ReadonlyMap<string, PodIdentity> = new Map();
  #hosts: ReadonlyMap<string, string> = new Map();
  #connected = false;

  constructor(deps: SupervisorLinkDeps) {
    this.#deps = deps;
  }

  notReady(): readonly string[] {
    return this.#connected ? [] : ["the supervisor does not answer"];
  }

  /** There are no Session resources here that people could change. */
  suspended(): readonly string[] {
    return [];
  }

  touched(): void {}

  async put({ session, group, wanted, epoch }: SessionWish): Promise<number> {
    const resources = this.#deps.resources.current();
    const { rules } = groupRules(resources, group);
    const { namespace } = splitKey(group);
    const shared = resources.agentGroups.get(group)?.spec.teamWorkspaces ?? [];
    const team = shared.map(({ name, readOnly }) => ({ workspace: keyOf(namespace, name), readOnly }));
    await this.#deps.client.putWanted({ session, group, wanted, epoch, rules, team });
    return epoch;
  }

  /** The supervisor's sessions are rows of the same machine. */
  async dismiss(): Promise<void> {}

  async putChannels(channels: readonly { channel: string; type: string }[]): Promise<void> {
    await this.#deps.client.putChannels({ channels: [...channels] });
  }

  async sessionOf(bearer: string): Promise<PodIdentity> {
    const pod = this.#pods.get(hashOf(bearer));
    if (pod) return pod;
    throw new CopepodError("podUnknown", "this pod is not known yet");
  }

  async channelOf(bearer: string): Promise<string> {
    const channel = this.#hosts.get(hashOf(bearer));
    if (channel !== undefined) return channel;
    throw new CopepodError("podUnknown", "this adapter host is not known yet");
  }

  /** Follows the list until the signal aborts. */
  async follow(listener: StarterListener, signal: AbortSignal): Promise<void> {
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

  async #look(version: number, listener: StarterListener, signal: AbortSignal): Promise<number> {
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

const hashOf = (bearer: string): string => createHash("sha256").update(bearer).digest("hex");
