import { pause } from "@copepod/adapter-kit/pause";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { ChannelClient, Delivery } from "@copepod/core/channel-api";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs, maxRowsPerTake } from "@copepod/core/limits";
import type { Logger } from "pino";
import { type DeliverDeps, deliver, type Outcome } from "./deliver.ts";
import { sayable } from "./sayable.ts";
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
/** A lease names all that the host holds, and can't name more. */
const maxGivenUp = maxRowsPerTake - maxParallelDeliveries;

/** Said in place of an outcome that the router refuses: within all bounds, and never repeated blindly. */
const refusedOutcome: Outcome = {
  kind: "fail",
  error: { class: "unknown", message: "the outcome of the send could not be told" },
};

interface Poll {
  readonly deps: DeliveryLoopDeps;
  readonly running: Map<string, Promise<void>>;
  /** Deliveries of which the router takes no outcome: named as held, or they would come again as never sent. */
  readonly givenUp: Set<string>;
  readonly signals: Signals;
  typingVersion: number;
  failures: number;
}

/**
 * Leases deliveries and works on them, lane beside lane, until intake ends; resolves when what ran is over. Rejects
 * with what does not pass, such as `superseded`.
 */
export async function deliveryLoop(deps: DeliveryLoopDeps, signals: Signals): Promise<void> {
  const poll: Poll = { deps, running: new Map(), givenUp: new Set(), signals, typingVersion: 0, failures: 0 };
  try {
    while (!signals.intake.aborted) await leaseOnce(poll);
  } catch (error) {
    if (!signals.intake.aborted) throw error;
  } finally {
    await Promise.all(poll.running.values());
  }
}

async function leaseOnce(poll: Poll): Promise<void> {
  const { deps, running, givenUp, signals } = poll;
  if (givenUp.size > maxGivenUp) throw new CopepodError("internal", "the router refuses the outcome of each delivery");
  const limit = maxParallelDeliveries - running.size;
  // With every place taken the poll only keeps the leases; it is cut short when a place becomes free.
  const freed = new AbortController();
  if (limit === 0) void Promise.race(running.values()).then(() => freed.abort());
  const signal = AbortSignal.any([signals.intake, freed.signal]);
  const { instance } = deps;
  const held = [...new Set([...running.keys(), ...givenUp])];
  const input = { instance, held, limit, waitMs: longPollMs, typingVersion: poll.typingVersion };
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

function begin({ deps, running, givenUp, signals }: Poll, delivery: Delivery): void {
  if (running.has(delivery.id) || givenUp.has(delivery.id)) return;
  const work = deliverAndTell(deps, delivery, signals.sends)
    .then((told) => {
      if (!told) givenUp.add(delivery.id);
    })
    .finally(() => running.delete(delivery.id));
  running.set(delivery.id, work);
}

/**
 * Never rejects.
 * @returns whether the router knows the outcome. When it does not, the delivery must stay held by this process; it is
 * uncertain for the next one.
 */
async function deliverAndTell(deps: DeliveryLoopDeps, delivery: Delivery, signal: AbortSignal): Promise<boolean> {
  const log = deps.log.child({ delivery: delivery.id, attempt: delivery.attempt });
  try {
    const outcome = await deliver({ ...deps, log }, delivery, signal);
    if (!outcome) return false;
    return await tell(deps, { delivery, outcome: sayable(outcome), log }, signal);
  } catch (error) {
    if (signal.aborted) return false;
    log.error({ err: error }, "outcome was not taken");
  }
  try {
    return await tell(deps, { delivery, outcome: refusedOutcome, log }, signal);
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "delivery given up: the router takes no outcome of it");
    return false;
  }
}

/** Says an outcome until it is heard. Rejects with a refusal that lasts. */
async function tell(
  deps: DeliveryLoopDeps,
  { delivery, outcome, log }: { readonly delivery: Delivery; readonly outcome: Outcome; readonly log: Logger },
  signal: AbortSignal,
): Promise<true> {
  await untilHeard((heard) => say(deps, { delivery, outcome }, heard), { signal, random: deps.random });
  log.info(outcome.kind === "complete" ? {} : { class: outcome.error.class }, `delivery ${outcome.kind}`);
  return true;
}

async function say(
  { client, instance }: DeliveryLoopDeps,
  { delivery: { id }, outcome }: { readonly delivery: Delivery; readonly outcome: Outcome },
  signal: AbortSignal,
): Promise<void> {
  if (outcome.kind === "fail") await client.fail({ instance, id, error: outcome.error }, { signal });
  else await client.complete({ instance, id, platformMessageId: outcome.platformMessageId }, { signal });
}
