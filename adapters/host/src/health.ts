import type { ChannelClient, ChannelHealth } from "@copepod/core/channel-api";
import { maxReasonLength } from "@copepod/core/limits";
import type { Logger } from "pino";
import { untilHeard } from "./until-heard.ts";

export interface HealthDeps {
  readonly client: ChannelClient;
  readonly instance: string;
  readonly random: () => number;
  readonly log: Logger;
}

export interface HealthReport {
  /** Tells a change until it is heard; a newer one replaces what is still unheard. */
  tell(health: ChannelHealth): void;
  /** Tells the present health again: a router that was away has forgotten it. */
  again(): void;
}

export function createHealthReport(deps: HealthDeps, signal: AbortSignal): HealthReport {
  const { client, instance, random, log } = deps;
  let latest: ChannelHealth = { state: "starting" };
  let replaced = new AbortController();
  const say = (): void => {
    replaced.abort();
    replaced = new AbortController();
    const unheard = AbortSignal.any([signal, replaced.signal]);
    const health = { ...latest, instance };
    untilHeard((heard) => client.health(health, { signal: heard }), { signal: unheard, random }).catch(
      (error: unknown) => {
        if (!unheard.aborted) log.warn({ err: error }, "health was not taken");
      },
    );
  };
  return {
    tell(health) {
      if (health.state === latest.state && health.detail === latest.detail) return;
      const detail = health.detail?.slice(0, maxReasonLength).toWellFormed();
      latest = { state: health.state, ...(detail === undefined ? {} : { detail }) };
      log.info({ state: health.state }, "health changed");
      say();
    },
    again: say,
  };
}
