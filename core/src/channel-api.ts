import { z } from "zod";
import { type Client, endpoint } from "./endpoint.ts";
import { longPollMs, maxEventsPerAccept, maxReasonLength, maxRowsPerTake } from "./limits.ts";
import { channelErrorSchema, nameSchema, quoteSchema, textSchema } from "./messages.ts";

const instance = z.string().min(8).max(64);
const nothing = z.object({});

/** What a platform said. `dedupeKey` is the same for each redelivery of the same event. */
export const inboundEventSchema = z.object({
  dedupeKey: nameSchema,
  /** UTC milliseconds, by the platform's clock. */
  occurredAt: z.int(),
  conversation: z.object({ address: nameSchema, kind: z.enum(["Direct", "Group"]), name: nameSchema.optional() }),
  thread: nameSchema.optional(),
  sender: z.object({ id: nameSchema, name: nameSchema.optional() }),
  text: textSchema,
  /** The platform confirms that the agent is addressed. A direct conversation always addresses it. */
  mentionsAgent: z.boolean().default(false),
  quote: quoteSchema.optional(),
});
export type InboundEvent = z.output<typeof inboundEventSchema>;
export type InboundEventInput = z.input<typeof inboundEventSchema>;

/** An event whose text the router can't take, such as one that is too long: refused with a row, and told. */
export const unreadableEventSchema = inboundEventSchema
  .omit({ text: true, quote: true })
  .extend({ reason: z.string().min(1).max(500) });
export type UnreadableEvent = z.output<typeof unreadableEventSchema>;

/** What an adapter can do, as data. */
export const abilitiesSchema = z.object({
  /** `native`: the platform drops a repeat of the same idempotency key. */
  idempotentSend: z.enum(["native", "none"]),
  /** The adapter can find out whether a delivery was shown. */
  history: z.boolean(),
  typing: z.boolean(),
});
export type Abilities = z.output<typeof abilitiesSchema>;

export const deliverySchema = z.object({
  id: z.string(),
  idempotencyKey: z.string(),
  address: z.string(),
  thread: z.string().optional(),
  text: z.string(),
  attempt: z.int().positive(),
  /** true = an earlier lease ended without an outcome, so it may have been shown already. */
  uncertain: z.boolean(),
  /** When the row was written, UTC milliseconds: where a look into the history starts. */
  createdAt: z.int(),
});
export type Delivery = z.output<typeof deliverySchema>;

export const typingSchema = z.object({ address: z.string(), thread: z.string().optional() });
export type Typing = z.output<typeof typingSchema>;

export const channelHealthSchema = z.object({
  state: z.enum(["starting", "ready", "degraded", "authRequired", "stopped"]),
  detail: z.string().max(maxReasonLength).optional(),
});
export type ChannelHealth = z.output<typeof channelHealthSchema>;

/** Channel API: between the router and the process that runs one adapter. The token decides the channel. */
export const channelApi = {
  hello: endpoint({
    method: "POST",
    path: "/v1/channel/hello",
    summary: "First call of an adapter host: releases the leases of the one before, returns where it stood.",
    input: z.object({ instance, type: nameSchema, abilities: abilitiesSchema }),
    output: z.object({
      channel: z.string(),
      config: z.record(z.string(), z.unknown()),
      cursor: z.string().optional(),
    }),
  }),
  accept: endpoint({
    method: "POST",
    path: "/v1/channel/accept",
    summary: "Takes a batch of events, and the cursor behind them, in one commit. May be repeated.",
    input: z.object({
      instance,
      events: z.array(inboundEventSchema).max(maxEventsPerAccept),
      unreadable: z.array(unreadableEventSchema).max(maxEventsPerAccept).default([]),
      cursor: z.string().max(4_096).optional(),
    }),
    output: z.object({ accepted: z.int(), duplicates: z.int(), refused: z.int() }),
  }),
  lease: endpoint({
    method: "POST",
    path: "/v1/channel/lease",
    summary: "Leases the next deliveries, at most one per conversation; waits for one when there is none.",
    input: z.object({
      instance,
      /** Deliveries that the host has; those it holds without knowing (a lost answer) are sent again, not as uncertain. */
      held: z.array(z.string()).max(maxRowsPerTake),
      /** 0 = nothing new: keeps the leases of a host that is busy with all it can do at once. */
      limit: z.int().min(0).max(maxRowsPerTake),
      waitMs: z.int().min(0).max(longPollMs),
      /** Version of the typing list that the host has; a newer one answers the poll. */
      typingVersion: z.int().nonnegative(),
    }),
    output: z.object({
      deliveries: z.array(deliverySchema),
      typing: z.array(typingSchema),
      typingVersion: z.int(),
    }),
  }),
  complete: endpoint({
    method: "POST",
    path: "/v1/channel/complete",
    summary: "A delivery was shown. May be repeated.",
    input: z.object({ instance, id: z.string(), platformMessageId: nameSchema }),
    output: nothing,
  }),
  fail: endpoint({
    method: "POST",
    path: "/v1/channel/fail",
    summary: "A delivery was not shown, or nobody knows. May be repeated.",
    input: z.object({ instance, id: z.string(), error: channelErrorSchema }),
    output: nothing,
  }),
  health: endpoint({
    method: "POST",
    path: "/v1/channel/health",
    summary: "How the connection to the platform is.",
    input: channelHealthSchema.extend({ instance }),
    output: nothing,
  }),
};

export type ChannelClient = Client<typeof channelApi>;
