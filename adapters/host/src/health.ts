import type { ChannelClient, ChannelHealth } from "@copepod/core/channel-api";
import type { Logger } from "pino";
import { untilHeard } from "./until-heard.ts";

export interface HealthDeps {
  readonly client: ChannelClient;
  readonly instance: string;
  readonly random: () => number;
  readonly log: Logger;
}

/** Reports each change of health until it is heard; a newer one replaces what is still unheard. */
export function createHealthReport(deps: HealthDeps, signal: AbortSignal): (health: ChannelHealth) => void {
  const { client, instance, random, log } = deps;
  let latest: ChannelHealth = { state: "starting" };
  let replaced = new AbortController();
  return (health) => {
    if (health.state === latest.state && health.detail === latest.detail) return;
    latest = health;
    replaced.abort();
    replaced = new AbortController();
    log.info({ state: health.state }, "health changed");
    const unheard = AbortSignal.any([signal, replaced.signal]);
    untilHeard((heard) => client.health({ ...health, instance }, { signal: heard }), { signal: unheard, random }).catch(
      (error: unknown) => {
        if (!unheard.aborted) log.warn({ err: error }, "health was not taken");
      },
    );
  };
}
