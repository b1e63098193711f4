import type { AdapterPackage, ChannelAdapter, SendResult } from "@copepod/adapter-kit/adapter";
import { pause } from "@copepod/adapter-kit/pause";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { Delivery } from "@copepod/core/channel-api";
import type { ChannelError } from "@copepod/core/messages";
import type { Logger } from "pino";

export interface DeliverDeps {
  readonly adapter: ChannelAdapter;
  readonly abilities: AdapterPackage["abilities"];
  readonly random: () => number;
  readonly log: Logger;
  readonly times: DeliverTimes;
}

export interface DeliverTimes {
  /** One send may take this long; then its outcome is unknown. */
  readonly sendMs: number;
  /** How long the history is asked while the platform can't be reached. */
  readonly reconcileMs: number;
  /** A send that is still under way is shown within this time; so "not shown" counts only when it is said twice. */
  readonly settleMs: number;
}

export const deliverTimes: DeliverTimes = { sendMs: 30_000, reconcileMs: 120_000, settleMs: 1_000 };

/** What the router is told. */
export type Outcome =
  | { readonly kind: "complete"; readonly platformMessageId: string }
  | { readonly kind: "fail"; readonly error: ChannelError };

const unknownMessage = "nobody can tell whether the message was shown";

/**
 * Sends once, or finds out what an earlier send came to. Never sends what may have been shown, except where the
 * platform drops a repeat of the key.
 * @returns undefined when the signal aborted first: then nothing is said, and the delivery stays uncertain.
 */
export async function deliver(
  deps: DeliverDeps,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (delivery.uncertain) {
    const before = await settle(deps, delivery, signal);
    if (signal.aborted) return undefined;
    if (before.kind !== "repeatable") return before;
  }
  const result = await sendOnce(deps, delivery, signal);
  if (result.ok) return { kind: "complete", platformMessageId: result.platformMessageId };
  if (signal.aborted) return undefined;
  return explain(deps, { delivery, error: result.error }, signal);
}

/** What a send that did not succeed came to. */
async function explain(
  deps: DeliverDeps,
  { delivery, error }: { readonly delivery: Delivery; readonly error: ChannelError },
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (error.class !== "unknown") return { kind: "fail", error };
  deps.log.warn({ delivery: delivery.id }, "outcome of a send is unknown");
  const after = await settle(deps, delivery, signal);
  if (signal.aborted) return undefined;
  if (after.kind !== "repeatable") return after;
  return { kind: "fail", error: { ...error, class: "transient" } };
}

async function sendOnce(deps: DeliverDeps, delivery: Delivery, signal: AbortSignal): Promise<SendResult> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(deps.times.sendMs)]);
  try {
    return await orAborted(deps.adapter.send(delivery, bounded), bounded);
  } catch (error) {
    deps.log.error({ delivery: delivery.id, err: error }, "send ended without an outcome");
    return { ok: false, error: { class: "unknown", message: "the send ended without an outcome" } };
  }
}

type Settled = Outcome | { readonly kind: "repeatable" };

/** Decides what an unknown outcome means: shown, safe to repeat, or to be parked. */
async function settle(deps: DeliverDeps, delivery: Delivery, signal: AbortSignal): Promise<Settled> {
  const native = deps.abilities.idempotentSend === "native";
  const found = deps.abilities.history ? await lookTwice(deps, delivery, signal) : { outcome: "unknown" as const };
  if (found.outcome === "sent") return { kind: "complete", platformMessageId: found.platformMessageId };
  if (native || found.outcome === "notSent") return { kind: "repeatable" };
  return { kind: "fail", error: { class: "unknown", message: unknownMessage } };
}

async function lookTwice(deps: DeliverDeps, delivery: Delivery, signal: AbortSignal) {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(deps.times.reconcileMs)]);
  const first = await look(deps, delivery, bounded);
  if (first.outcome !== "notSent") return first;
  await pause(deps.times.settleMs, bounded);
  return look(deps, delivery, bounded);
}

/** Asks until the platform could look, or the time is over. */
async function look(deps: DeliverDeps, delivery: Delivery, signal: AbortSignal) {
  const { reconcile } = deps.adapter;
  for (let failures = 1; reconcile && !signal.aborted; failures++) {
    try {
      return await orAborted(reconcile(delivery, signal), signal);
    } catch (error) {
      deps.log.warn({ delivery: delivery.id, err: error }, "history can't be read");
    }
    await pause(backoffMs(reconnectBackoff, failures, deps.random()), signal);
  }
  return { outcome: "unknown" } as const;
}

/** An adapter that does not mind its signal must not hold a lane for ever. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
