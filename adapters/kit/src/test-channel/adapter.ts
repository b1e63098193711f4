import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { Abilities, ChannelHealth, Delivery, InboundEventInput } from "@copepod/core/channel-api";
import { CopepodError, parseInput } from "@copepod/core/errors";
import type { ChannelError } from "@copepod/core/messages";
import { z } from "zod";
import type { AdapterContext, AdapterPackage, ChannelAdapter, Reconciled, SendResult } from "../adapter.ts";
import { pause } from "../pause.ts";
import { type Answer, callPlatform, type PlatformEndpoint } from "./client.ts";
import { eventsSchema, historySchema, type PlatformEvent, sentSchema } from "./wire.ts";

const configSchema = z.union(
  [z.strictObject({ url: z.url() }), z.strictObject({ socket: z.string().min(1).max(107) })],
  "must be either { url } or { socket }: where the scripted platform listens",
);

const pollMs = 20_000;
/** The platform's clock and ours may differ by this much when a look into the history compares times. */
const clockToleranceMs = 5_000;

/**
 * The adapter of type `test`, for the scripted platform: many chats, threads, mentions and strangers over a real
 * connection that can fail in every way. Its abilities can be narrowed, to stand for poorer platforms.
 */
export function testChannelPackage(abilities: Partial<Abilities> = {}): AdapterPackage {
  return {
    type: "test",
    abilities: { idempotentSend: "none", history: true, typing: true, ...abilities },
    create: (context) => createTestAdapter(parseInput(configSchema, context.config), context),
  };
}

function createTestAdapter(endpoint: PlatformEndpoint, context: AdapterContext): ChannelAdapter {
  return {
    run: (signal) => receive(endpoint, context, signal),
    send: (delivery, signal) => send(endpoint, delivery, signal),
    reconcile: (delivery, signal) => reconcile(endpoint, delivery, signal),
    async typing({ address, thread }, signal) {
      await callPlatform(endpoint, { method: "POST", path: "/typing", body: { chat: address, thread }, signal });
    },
  };
}

async function receive(endpoint: PlatformEndpoint, context: AdapterContext, signal: AbortSignal): Promise<void> {
  let cursor = context.cursor ?? "0";
  let failures = 0;
  // The first poll, also after a failure, asks without waiting, so that health is known at once.
  let waitMs = 0;
  while (!signal.aborted) {
    const step = await receiveOnce(endpoint, { ...context, cursor, waitMs }, signal);
    if (signal.aborted) return;
    context.health(step.health);
    cursor = step.cursor;
    if (step.health.state === "ready") {
      failures = 0;
      waitMs = pollMs;
    } else {
      failures += 1;
      waitMs = 0;
      await pause(step.retryAfterMs ?? backoffMs(reconnectBackoff, failures, context.random()), signal);
    }
  }
}

interface Step {
  readonly health: ChannelHealth;
  readonly cursor: string;
  readonly retryAfterMs?: number;
}

/** One poll. The cursor moves only behind a committed accept. */
async function receiveOnce(
  endpoint: PlatformEndpoint,
  context: AdapterContext & { readonly cursor: string; readonly waitMs: number },
  signal: AbortSignal,
): Promise<Step> {
  const { cursor, waitMs } = context;
  const path = `/events?after=${encodeURIComponent(cursor)}&waitMs=${waitMs}`;
  const answer = await callPlatform(endpoint, { method: "GET", path, signal });
  const error = problemOf(answer);
  if (error) {
    const health = { state: error.class === "auth" ? "authRequired" : "degraded", detail: error.message } as const;
    return { health, cursor, ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }) };
  }
  const parsed = eventsSchema.safeParse(bodyOf(answer));
  if (!parsed.success) {
    return {
      health: { state: "degraded", detail: "the platform answered something that is not a batch of events" },
      cursor,
    };
  }
  return acceptAll(context, parsed.data.events.map(toInbound), String(parsed.data.cursor));
}

async function acceptAll(
  context: AdapterContext & { readonly cursor: string },
  events: readonly InboundEventInput[],
  next: string,
): Promise<Step> {
  if (events.length === 0) return { health: { state: "ready" }, cursor: context.cursor };
  try {
    await context.accept(events, next);
    return { health: { state: "ready" }, cursor: next };
  } catch {
    return { health: { state: "degraded", detail: "the router does not accept events" }, cursor: context.cursor };
  }
}

function toInbound(event: PlatformEvent): InboundEventInput {
  const { chat, kind, chatName, thread, quote } = event;
  return {
    dedupeKey: event.id,
    occurredAt: event.at,
    conversation: { address: chat, kind, ...(chatName === undefined ? {} : { name: chatName }) },
    ...(thread === undefined ? {} : { thread }),
    sender: event.sender,
    text: event.text,
    mentionsAgent: event.mentionsAgent,
    ...(quote === undefined ? {} : { quote }),
  };
}

async function send(endpoint: PlatformEndpoint, delivery: Delivery, signal: AbortSignal): Promise<SendResult> {
  const { address: chat, thread, text, idempotencyKey: key } = delivery;
  const body = { chat, thread, text, key };
  const answer = await callPlatform(endpoint, { method: "POST", path: "/messages", body, signal });
  const error = problemOf(answer);
  if (error) return { ok: false, error };
  const sent = sentSchema.safeParse(bodyOf(answer));
  if (sent.success) return { ok: true, platformMessageId: sent.data.id };
  return { ok: false, error: { class: "unknown", message: "the platform answered without a message id" } };
}

async function reconcile(endpoint: PlatformEndpoint, delivery: Delivery, signal: AbortSignal): Promise<Reconciled> {
  const since = delivery.createdAt - clockToleranceMs;
  const path = `/history?chat=${encodeURIComponent(delivery.address)}&since=${since}`;
  const answer = await callPlatform(endpoint, { method: "GET", path, signal });
  const error = problemOf(answer);
  if (error?.class === "permanent") return { outcome: "unknown" };
  if (error) throw new CopepodError("unavailable", error.message);
  const { messages } = parseInput(historySchema, bodyOf(answer));
  const match = messages.find((message) => {
    if (message.key !== undefined) return message.key === delivery.idempotencyKey;
    return message.text === delivery.text && message.thread === delivery.thread;
  });
  return match ? { outcome: "sent", platformMessageId: match.id } : { outcome: "notSent" };
}

const bodyOf = (answer: Answer): unknown => (answer.kind === "answered" ? answer.body : undefined);

function problemOf(answer: Answer): ChannelError | undefined {
  switch (answer.kind) {
    case "notReached":
      return { class: "transient", message: `the platform is not reached: ${answer.reason}` };
    case "broken":
      return { class: "unknown", message: `the connection broke before the answer: ${answer.reason}` };
    case "answered":
      return answer.status < 300 ? undefined : refusal(answer.status, answer.retryAfterMs);
  }
}

function refusal(status: number, retryAfterMs: number | undefined): ChannelError {
  const message = `the platform answered with status ${status}`;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return { class: "rateLimited", message, ...wait };
  if (status === 401) return { class: "auth", message };
  return status >= 500 ? { class: "transient", message, ...wait } : { class: "permanent", message };
}
