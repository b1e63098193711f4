import {
  type ChannelClient,
  type InboundEventInput,
  inboundEventSchema,
  type UnreadableEvent,
  unreadableEventSchema,
} from "@copepod/core/channel-api";
import { describeIssue } from "@copepod/core/errors";
import { maxBodyBytes, maxEventsPerAccept } from "@copepod/core/limits";
import type { Logger } from "pino";
import { untilHeard } from "./until-heard.ts";

export interface IntakeDeps {
  readonly client: ChannelClient;
  readonly instance: string;
  readonly random: () => number;
  readonly log: Logger;
}

const maxReasonLength = 500;

/** A batch stays well below the largest body that the router reads. */
const maxBatchBytes = maxBodyBytes / 2;

/**
 * Hands events to the router until they are committed; the cursor goes with the last of them. An event whose text the
 * router could never take does not hold up the others: it is refused by name. One that is broken otherwise is left out,
 * and logged by its key.
 */
export async function acceptEvents(
  deps: IntakeDeps,
  { events, cursor }: { readonly events: readonly InboundEventInput[]; readonly cursor: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const batches = inBatches(events.filter((event) => inboundEventSchema.safeParse(event).success));
  const unreadable = events.flatMap((event) => unreadableOf(event, deps.log)).slice(0, maxEventsPerAccept);
  const last = batches.pop() ?? [];
  const { client, instance, random } = deps;
  for (const batch of batches) {
    await untilHeard((heard) => client.accept({ instance, events: batch }, { signal: heard }), { signal, random });
  }
  const input = { instance, events: last, unreadable, ...(cursor === undefined ? {} : { cursor }) };
  await untilHeard((heard) => client.accept(input, { signal: heard }), { signal, random });
}

function unreadableOf(event: InboundEventInput, log: Logger): UnreadableEvent[] {
  const { error } = inboundEventSchema.safeParse(event);
  if (!error) return [];
  const reason = describeIssue(error).slice(0, maxReasonLength);
  const { data } = unreadableEventSchema.safeParse({ ...event, reason });
  log.error({ dedupeKey: event.dedupeKey, reason, told: data !== undefined }, "event can't be taken");
  return data ? [data] : [];
}

function inBatches(events: readonly InboundEventInput[]): InboundEventInput[][] {
  const batches: InboundEventInput[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event));
    const current = batches.at(-1);
    if (current && current.length < maxEventsPerAccept && bytes + size <= maxBatchBytes) {
      current.push(event);
      bytes += size;
    } else {
      batches.push([event]);
      bytes = size;
    }
  }
  return batches;
}
