import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InboundEventInput } from "@copepod/core/channel-api";
import { adapterContract, type ContractPlatform, type SendScript } from "../adapter.contract.ts";
import { testChannelPackage } from "./adapter.ts";
import type { SendFault } from "./faults.ts";
import { startPlatform } from "./platform.ts";
import type { PlatformOptions } from "./platform-state.ts";

const faults: Readonly<Record<SendScript, SendFault>> = {
  limited: { kind: "status", status: 429, retryAfterMs: 1_500 },
  failing: { kind: "status", status: 500 },
  refused: { kind: "status", status: 403 },
  unauthorized: { kind: "status", status: 401 },
  lostUnseen: { kind: "drop", shown: false },
  lostAfterShown: { kind: "drop", shown: true },
  hanging: { kind: "hang", shown: false },
};

async function rig(options: PlatformOptions): Promise<ContractPlatform> {
  const platform = await startPlatform(options);
  const ids: string[] = [];
  return {
    config: { ...platform.endpoint },
    says: (chat, text) => void ids.push(platform.say(chat, text)),
    shown: (chat) => platform.log(chat).flatMap((line) => (line.from === "agent" ? [line.text] : [])),
    redeliverAll: () => platform.redeliver(ids.toReversed()),
    async gap(during) {
      await platform.goOffline();
      during();
      await platform.goOnline();
    },
    nextSend: (script) => platform.faults.sends(faults[script], 1),
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  };
}

adapterContract("test, with a history that knows keys", testChannelPackage(), () => rig({}));
adapterContract("test, with a history of texts", testChannelPackage(), () => rig({ keysInHistory: false }));
adapterContract("test, with native idempotency", testChannelPackage({ idempotentSend: "native", history: false }), () =>
  rig({ idempotentSends: true }),
);

describe("the test channel", () => {
  it("tells threads, mentions, quotes and senders of a group", async () => {
    await using platform = await startPlatform();
    const stop = new AbortController();
    const seen = Promise.withResolvers<InboundEventInput | undefined>();
    const adapter = testChannelPackage().create({
      config: { ...platform.endpoint },
      cursor: undefined,
      random: Math.random,
      accept: async (events) => seen.resolve(events[0]),
      health: () => undefined,
    });
    const ended = adapter.run(stop.signal);
    platform.say("team", "@agent look", {
      kind: "Group",
      chatName: "The team",
      thread: "thread-1",
      sender: { id: "u7", name: "Ann" },
      mentionsAgent: true,
      quote: { sender: "Bob", text: "what is this?" },
    });
    const event = await seen.promise;
    stop.abort();
    await ended;
    assert.deepEqual(event?.conversation, { address: "team", kind: "Group", name: "The team" });
    assert.deepEqual(event?.sender, { id: "u7", name: "Ann" });
    assert.equal(event?.thread, "thread-1");
    assert.equal(event?.mentionsAgent, true);
    assert.deepEqual(event?.quote, { sender: "Bob", text: "what is this?" });
  });

  it("waits as long as the platform asks before it connects again", async () => {
    await using platform = await startPlatform();
    const stop = new AbortController();
    platform.faults.events({ status: 429, retryAfterMs: 300 }, 1);
    const refusedAt = Promise.withResolvers<number>();
    const readyAt = Promise.withResolvers<number>();
    const adapter = testChannelPackage().create({
      config: { ...platform.endpoint },
      cursor: undefined,
      random: Math.random,
      accept: async () => readyAt.resolve(performance.now()),
      health: ({ state }) => {
        if (state === "degraded") refusedAt.resolve(performance.now());
      },
    });
    const ended = adapter.run(stop.signal);
    platform.say("alice", "hello");
    const waited = -(await refusedAt.promise) + (await readyAt.promise);
    stop.abort();
    await ended;
    assert.ok(waited >= 290, `waited ${waited} ms`);
  });

  it("says so when the platform refuses its login", async () => {
    await using platform = await startPlatform();
    const stop = new AbortController();
    platform.faults.events({ status: 401 }, 1);
    const state = Promise.withResolvers<string>();
    const adapter = testChannelPackage().create({
      config: { ...platform.endpoint },
      cursor: undefined,
      random: Math.random,
      accept: async () => undefined,
      health: (health) => state.resolve(health.state),
    });
    const ended = adapter.run(stop.signal);
    assert.equal(await state.promise, "authRequired");
    stop.abort();
    await ended;
  });

  it("can't tell what was shown when the history is closed, and asks again later when it is away", async () => {
    await using platform = await startPlatform({ historyReadable: false });
    const adapter = testChannelPackage().create({
      config: { ...platform.endpoint },
      cursor: undefined,
      random: Math.random,
      accept: async () => undefined,
      health: () => undefined,
    });
    const lost = {
      id: "out-1",
      idempotencyKey: "k",
      address: "alice",
      text: "x",
      attempt: 1,
      uncertain: true,
      createdAt: 0,
    };
    const signal = AbortSignal.timeout(5_000);
    assert.deepEqual(await adapter.reconcile?.(lost, signal), { outcome: "unknown" });
    await platform.goOffline();
    await assert.rejects(async () => adapter.reconcile?.(lost, signal), { code: "unavailable" });
  });
});
