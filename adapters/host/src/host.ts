import type { AdapterPackage, ChannelAdapter } from "@copepod/adapter-kit/adapter";
import { pause } from "@copepod/adapter-kit/pause";
import type { ChannelClient, ChannelHealth } from "@copepod/core/channel-api";
import { codeOf } from "@copepod/core/errors";
import type { Logger } from "pino";
import type { DeliverTimes } from "./deliver.ts";
import { deliveryLoop } from "./delivery-loop.ts";
import { createHealthReport } from "./health.ts";
import { acceptEvents } from "./intake.ts";
import { createTypingDisplay } from "./typing.ts";
import { untilHeard } from "./until-heard.ts";

export interface HostDeps {
  readonly client: ChannelClient;
  readonly adapterPackage: AdapterPackage;
  /** Random id of this process. */
  readonly instance: string;
  readonly random: () => number;
  readonly log: Logger;
  readonly times: DeliverTimes;
  /** Sends that run when the host is told to stop may go on for this long. */
  readonly drainMs: number;
}

/** Why a host ended. Only `failed` is worth a restart with back-off. */
export type HostEnd = "stopped" | "superseded" | "failed";

/** Runs one adapter between its platform and the router, until told to stop, replaced, or of no more use. */
export async function runHost(deps: HostDeps, stop: AbortSignal): Promise<HostEnd> {
  const { client, instance, random, log, adapterPackage } = deps;
  const { type, abilities } = adapterPackage;
  try {
    const hello = (signal: AbortSignal) => client.hello({ instance, type, abilities }, { signal });
    const { config, cursor, channel } = await untilHeard(hello, { signal: stop, random });
    const channelLog = log.child({ channel });
    channelLog.info({ instance }, "adapter host starts");
    return await runAdapter({ ...deps, log: channelLog }, { config, cursor }, stop);
  } catch (error) {
    return endOf(error, { log, stop });
  }
}

interface Position {
  readonly config: Readonly<Record<string, unknown>>;
  readonly cursor: string | undefined;
}

async function runAdapter(deps: HostDeps, { config, cursor }: Position, stop: AbortSignal): Promise<HostEnd> {
  const broken = new AbortController();
  const over = new AbortController();
  const intake = AbortSignal.any([stop, broken.signal]);
  const health = createHealthReport(deps, over.signal);
  const drainTimer = endAfterDrain(deps.drainMs, { intake, over });
  let end: HostEnd = "stopped";
  const failed = (error: unknown) => {
    if (intake.aborted) return;
    end = endOf(error, { log: deps.log, stop });
    broken.abort();
    // Whoever holds the channel now finds out what became of the running sends.
    if (end === "superseded") over.abort();
  };
  try {
    const adapter = createAdapter(deps, { config, cursor, health: health.tell, intake });
    using typing = createTypingDisplay(adapter, over.signal);
    const loop = { ...deps, adapter, typing, abilities: deps.adapterPackage.abilities, onReturn: health.again };
    await Promise.all([
      adapter.run(intake).catch(async (error: unknown) => {
        await tellLast(deps, error);
        failed(error);
      }),
      deliveryLoop(loop, { intake, sends: over.signal }).catch(failed),
    ]);
  } catch (error) {
    await tellLast(deps, error);
    failed(error);
  }
  over.abort();
  await drainTimer;
  return end;
}

function createAdapter(
  deps: HostDeps,
  { config, cursor, health, intake }: Position & { health: (health: ChannelHealth) => void; intake: AbortSignal },
): ChannelAdapter {
  const accept = (events: Parameters<typeof acceptEvents>[1]["events"], next?: string) =>
    acceptEvents(deps, { events, cursor: next }, intake);
  return deps.adapterPackage.create({ config, cursor, random: deps.random, accept, health });
}

async function endAfterDrain(
  drainMs: number,
  { intake, over }: { readonly intake: AbortSignal; readonly over: AbortController },
): Promise<void> {
  const either = AbortSignal.any([intake, over.signal]);
  if (!either.aborted) await new Promise((resolve) => either.addEventListener("abort", resolve, { once: true }));
  await pause(drainMs, over.signal);
  over.abort();
}

/** A few seconds for the sentence that says why the adapter can't work; the restart does not depend on it. */
const lastWordMs = 2_000;

async function tellLast({ client, instance, random }: HostDeps, error: unknown): Promise<void> {
  const detail = error instanceof Error ? error.message : String(error);
  const signal = AbortSignal.timeout(lastWordMs);
  const say = () => client.health({ instance, state: "stopped", detail: detail.slice(0, 2_000) }, { signal });
  await untilHeard(say, { signal, random }).catch(() => undefined);
}

function endOf(error: unknown, { log, stop }: { readonly log: Logger; readonly stop: AbortSignal }): HostEnd {
  if (stop.aborted) return "stopped";
  if (codeOf(error) === "superseded") {
    log.info("another host has this channel now");
    return "superseded";
  }
  log.error({ err: error }, "adapter host can't go on");
  return "failed";
}
