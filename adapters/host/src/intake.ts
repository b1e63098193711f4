import { type ChannelClient, type InboundEventInput, inboundEventSchema } from "@copepod/core/channel-api";
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

/** A batch stays well below the largest body that the router reads. */
const maxBatchBytes = maxBodyBytes / 2;

/**
 * Hands events to the router until they are committed; the cursor goes with the last of them. An event that the router
 * could never take does not hold up the others: it is left out, and logged by its key.
 */
export async function acceptEvents(
  deps: IntakeDeps,
  { events, cursor }: { readonly events: readonly InboundEventInput[]; readonly cursor: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const batches = inBatches(events.filter((event) => isAcceptable(event, deps.log)));
  const last = batches.pop() ?? [];
  const { client, instance, random } = deps;
  for (const batch of batches) {
    await untilHeard((heard) => client.accept({ instance, events: batch }, { signal: heard }), { signal, random });
  }
  const input = { instance, events: last, ...(cursor === undefined ? {} : { cursor }) };
  await untilHeard((heard) => client.accept(input, { signal: heard }), { signal, random });
}

function isAcceptable(event: InboundEventInput, log: Logger): boolean {
  const { success, error } = inboundEventSchema.safeParse(event);
  if (!success) log.error({ dedupeKey: event.dedupeKey, reason: describeIssue(error) }, "event left out");
  return success;
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
