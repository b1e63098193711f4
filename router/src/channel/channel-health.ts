import type { ChannelHealth } from "@copepod/core/channel-api";

/** What adapter hosts said last about their connections. In memory: a host says it again when it reconnects. */
export class ChannelHealthBook {
  readonly #states = new Map<string, ChannelHealth>();

  /** @param channel row key */
  set(channel: string, health: ChannelHealth): void {
    this.#states.set(channel, health);
  }

  of(channel: string): ChannelHealth {
    return this.#states.get(channel) ?? { state: "starting" };
  }
}
