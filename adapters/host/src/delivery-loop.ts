import { pause } from "@copepod/adapter-kit/pause";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { ChannelClient, Delivery } from "@copepod/core/channel-api";
import { longPollMs } from "@copepod/core/limits";
import { type DeliverDeps, deliver, type Outcome } from "./deliver.ts";
import type { TypingDisplay } from "./typing.ts";
import { isPassing, untilHeard } from "./until-heard.ts";

export interface DeliveryLoopDeps extends DeliverDeps {
  readonly client: ChannelClient;
  readonly instance: string;
  readonly typing: TypingDisplay;
  /** Called when the router answers again after it was away. */
  onReturn(): void;
}

interface Signals {
  /** Aborts = lease nothing more. */
  readonly intake: AbortSignal;
  /** Aborts = give up what is under way. */
  readonly sends: AbortSignal;
}

/** Conversations that are delivered to at the same time. */
const maxParallelDeliveries = 16;

interface Poll {
  readonly deps: DeliveryLoopDeps;
  readonly running: Map<string, Promise<void>>;
  readonly signals: Signals;
  typingVersion: number;
  failures: number;
}

/**
 * Leases deliveries and works on them, lane beside lane, until intake ends; resolves when what ran is over. Rejects
 * with what does not pass, such as `superseded`.
 */
export async function deliveryLoop(deps: DeliveryLoopDeps, signals: Signals): Promise<void> {
  const poll: Poll = { deps, running: new Map(), signals, typingVersion: 0, failures: 0 };
  try {
    while (!signals.intake.aborted) await leaseOnce(poll);
  } catch (error) {
    if (!signals.intake.aborted) throw error;
  } finally {
    await Promise.all(poll.running.values());
  }
}

async function leaseOnce(poll: Poll): Promise<void> {
  const { deps, running, signals } = poll;
  const limit = maxParallelDeliveries - running.size;
  // With every place taken the poll only keeps the leases; it is cut short when a place becomes free.
  const freed = new AbortController();
  if (limit === 0) void Promise.race(running.values()).then(() => freed.abort());
  const signal = AbortSignal.any([signals.intake, freed.signal]);
  const { instance } = deps;
  const input = { instance, held: [...running.keys()], limit, waitMs: longPollMs, typingVersion: poll.typingVersion };
  try {
    const answer = await deps.client.lease(input, { signal });
    if (poll.failures > 0) deps.onReturn();
    poll.failures = 0;
    if (answer.typingVersion !== poll.typingVersion) deps.typing.show(answer.typing);
    poll.typingVersion = answer.typingVersion;
    for (const delivery of answer.deliveries) begin(poll, delivery);
  } catch (error) {
    if (signal.aborted) return;
    if (!isPassing(error)) throw error;
    await recover(poll);
  }
}

/** The router is away: what it knew of typing is gone with it. */
async function recover(poll: Poll): Promise<void> {
  poll.deps.typing.show([]);
  poll.typingVersion = 0;
  poll.failures += 1;
  await pause(backoffMs(reconnectBackoff, poll.failures, poll.deps.random()), poll.signals.intake);
}

function begin({ deps, running, signals }: Poll, delivery: Delivery): void {
  if (running.has(delivery.id)) return;
  const work = deliverAndTell(deps, delivery, signals.sends).finally(() => running.delete(delivery.id));
  running.set(delivery.id, work);
}

/** Never rejects: a delivery whose outcome can't be told stays leased, and is uncertain for the next host. */
async function deliverAndTell(deps: DeliveryLoopDeps, delivery: Delivery, signal: AbortSignal): Promise<void> {
  const log = deps.log.child({ delivery: delivery.id, attempt: delivery.attempt });
  try {
    const outcome = await deliver({ ...deps, log }, delivery, signal);
    if (!outcome) return;
    await untilHeard((heard) => tell(deps, { delivery, outcome }, heard), { signal, random: deps.random });
    log.info(outcome.kind === "complete" ? {} : { class: outcome.error.class }, `delivery ${outcome.kind}`);
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "outcome was not taken");
  }
}

async function tell(
  { client, instance }: DeliveryLoopDeps,
  { delivery: { id }, outcome }: { readonly delivery: Delivery; readonly outcome: Outcome },
  signal: AbortSignal,
): Promise<void> {
  if (outcome.kind === "fail") await client.fail({ instance, id, error: outcome.error }, { signal });
  else await client.complete({ instance, id, platformMessageId: outcome.platformMessageId }, { signal });
}
