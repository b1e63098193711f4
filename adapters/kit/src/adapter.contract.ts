import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it, type TestContext } from "node:test";
import type { ChannelHealth, Delivery, InboundEventInput } from "@copepod/core/channel-api";
import type { FailureClass } from "@copepod/core/messages";
import type { AdapterPackage, ChannelAdapter, SendResult } from "./adapter.ts";

/** A platform for the contract: real, emulated or scripted. The chats are direct ones. */
export interface ContractPlatform extends AsyncDisposable {
  /** The Channel's config. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Somebody writes in a chat. */
  says(chat: string, text: string): void;
  /** What the agent's account shows in a chat, in order. */
  shown(chat: string): readonly string[];
  /** The platform hands out everything again, newest first. */
  redeliverAll(): void;
  /** The connection is lost, `during` happens, the connection comes back. */
  gap(during: () => void): Promise<void>;
  /** What happens to the next send. `lostUnseen` and `lostAfterShown`: the connection breaks before the answer. */
  nextSend(fault: SendScript): void;
}

export type SendScript =
  | "limited"
  | "failing"
  | "refused"
  | "unauthorized"
  | "lostUnseen"
  | "lostAfterShown"
  | "hanging";

/** A test waits no longer than this for what must happen. */
const patienceMs = 10_000;
/** An adapter that is told to stop has this long. */
const stopDeadlineMs = 2_000;

/** What every adapter must hold: channels differ, promises do not. */
export function adapterContract(
  name: string,
  adapterPackage: AdapterPackage,
  startPlatform: () => Promise<ContractPlatform>,
): void {
  describe(`the adapter ${name}`, () => {
    inboundCases(adapterPackage, startPlatform);
    outboundCases(adapterPackage, startPlatform);
    lifeCases(adapterPackage, startPlatform);
  });
}

function inboundCases(adapterPackage: AdapterPackage, startPlatform: () => Promise<ContractPlatform>): void {
  it("hands a message over with its chat, sender and text", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    start(t, adapterPackage, { platform, ledger });
    platform.says("alice", "hello \u{1f9ab} 'quoted' <b>");
    await ledger.until(() => ledger.texts().length === 1);
    const [event] = ledger.events.values();
    assert.equal(event?.text, "hello \u{1f9ab} 'quoted' <b>");
    assert.equal(event?.conversation.address, "alice");
    assert.equal(event?.conversation.kind, "Direct");
  });

  it("gives events again whose accept failed, and stores them once", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    ledger.refuseNext(2);
    start(t, adapterPackage, { platform, ledger });
    platform.says("alice", "one");
    platform.says("alice", "two");
    await ledger.until(() => ledger.texts().length === 2);
    assert.deepEqual(ledger.texts(), ["one", "two"]);
  });

  it("moves its cursor only with a committed accept", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    ledger.refuseNext(1);
    const first = start(t, adapterPackage, { platform, ledger });
    platform.says("alice", "one");
    await ledger.until(() => ledger.refused === 1);
    await first.stop();
    assert.equal(ledger.texts().length === 0, ledger.cursor === undefined);
    start(t, adapterPackage, { platform, ledger });
    await ledger.until(() => ledger.texts().length === 1);
    assert.notEqual(ledger.cursor, undefined);
  });

  it("goes on behind its cursor after a restart", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    const first = start(t, adapterPackage, { platform, ledger });
    platform.says("alice", "one");
    await ledger.until(() => ledger.texts().length === 1);
    await first.stop();
    platform.says("alice", "two");
    start(t, adapterPackage, { platform, ledger });
    await ledger.until(() => ledger.texts().length === 2);
    assert.equal(ledger.handedOver, 2, "the first event must not be fetched again");
  });

  it("gives a redelivered event the same key", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    start(t, adapterPackage, { platform, ledger });
    for (const text of ["one", "two", "three"]) platform.says("alice", text);
    await ledger.until(() => ledger.texts().length === 3);
    platform.redeliverAll();
    await ledger.until(() => ledger.handedOver === 6);
    assert.deepEqual(ledger.texts(), ["one", "two", "three"]);
  });

  it("gets what was said while the connection was lost", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    start(t, adapterPackage, { platform, ledger });
    platform.says("alice", "before");
    await ledger.until(() => ledger.texts().length === 1);
    await platform.gap(() => platform.says("alice", "meanwhile"));
    await ledger.until(() => ledger.texts().length === 2);
    await ledger.until(() => ledger.health?.state === "ready");
    assert.deepEqual(ledger.texts(), ["before", "meanwhile"]);
  });
}

function outboundCases(adapterPackage: AdapterPackage, startPlatform: () => Promise<ContractPlatform>): void {
  it("shows a text as it is, and returns the platform's id", async (t) => {
    await using platform = await startPlatform();
    const { adapter } = start(t, adapterPackage, { platform });
    const text = "line one\nline two \u{1f468}\u200d\u{1f469}\u200d\u{1f467} ٱلسَّلَام";
    const result = await adapter.send(delivery({ text }), within(patienceMs));
    assert.ok(result.ok && result.platformMessageId.length > 0);
    assert.deepEqual(platform.shown("alice"), [text]);
  });

  const classes: readonly (readonly [SendScript, FailureClass])[] = [
    ["limited", "rateLimited"],
    ["failing", "transient"],
    ["refused", "permanent"],
    ["unauthorized", "auth"],
    ["lostUnseen", "unknown"],
    ["lostAfterShown", "unknown"],
  ];
  for (const [script, expected] of classes) {
    it(`tells a send that is ${script} as ${expected}, and does not repeat it`, async (t) => {
      await using platform = await startPlatform();
      const { adapter } = start(t, adapterPackage, { platform });
      platform.nextSend(script);
      const result = await adapter.send(delivery({}), within(patienceMs));
      assert.equal(classOf(result), expected);
      assert.equal(platform.shown("alice").length, script === "lostAfterShown" ? 1 : 0);
    });
  }

  it("tells how long a limited send has to wait", async (t) => {
    await using platform = await startPlatform();
    const { adapter } = start(t, adapterPackage, { platform });
    platform.nextSend("limited");
    const result = await adapter.send(delivery({}), within(patienceMs));
    assert.ok(!result.ok && (result.error.retryAfterMs ?? 0) > 0);
  });

  it("tells a send without a platform as transient", async (t) => {
    await using platform = await startPlatform();
    const { adapter } = start(t, adapterPackage, { platform });
    await platform[Symbol.asyncDispose]();
    const result = await adapter.send(delivery({}), within(patienceMs));
    assert.equal(classOf(result), "transient");
  });

  it("ends a send that hangs when it is told to, with an unknown outcome", async (t) => {
    await using platform = await startPlatform();
    const { adapter } = start(t, adapterPackage, { platform });
    platform.nextSend("hanging");
    const result = await adapter.send(delivery({}), AbortSignal.timeout(200));
    assert.equal(classOf(result), "unknown");
  });

  for (const [script, expected] of [
    ["lostAfterShown", "sent"],
    ["lostUnseen", "notSent"],
  ] as const) {
    const skip = adapterPackage.abilities.history ? false : "the platform has no history";
    it(`finds out that a send that is ${script} was ${expected}`, { skip }, async (t) => {
      await using platform = await startPlatform();
      const { adapter } = start(t, adapterPackage, { platform });
      const lost = delivery({ text: "was I seen?" });
      await adapter.send(delivery({ idempotencyKey: "another", text: "something else" }), within(patienceMs));
      platform.nextSend(script);
      await adapter.send(lost, within(patienceMs));
      assert.equal((await adapter.reconcile?.(lost, within(patienceMs)))?.outcome, expected);
    });
  }

  it("shows a repeat of the same key once", { skip: skipUnlessNative(adapterPackage) }, async (t) => {
    await using platform = await startPlatform();
    const { adapter } = start(t, adapterPackage, { platform });
    await adapter.send(delivery({}), within(patienceMs));
    assert.ok((await adapter.send(delivery({}), within(patienceMs))).ok);
    assert.equal(platform.shown("alice").length, 1);
  });
}

const skipUnlessNative = ({ abilities }: AdapterPackage): string | false =>
  abilities.idempotentSend === "native" ? false : "the platform has no idempotency keys";

function lifeCases(adapterPackage: AdapterPackage, startPlatform: () => Promise<ContractPlatform>): void {
  it("refuses a config that is not for it", () => {
    const context = { ...createLedger().context, config: { nonsense: true } };
    assert.throws(() => adapterPackage.create(context), { code: "invalid" });
  });

  it("ends in time, connected or not", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    const connected = start(t, adapterPackage, { platform, ledger });
    await ledger.until(() => ledger.health?.state === "ready" || ledger.health === undefined);
    await connected.stop();
    await platform[Symbol.asyncDispose]();
    const lonely = start(t, adapterPackage, { platform, ledger });
    await ledger.until(() => ledger.health?.state === "degraded");
    await lonely.stop();
  });

  it("leaves nothing behind over twenty starts and stops", async (t) => {
    await using platform = await startPlatform();
    const ledger = createLedger();
    for (let round = 0; round < 20; round++) {
      const run = start(t, adapterPackage, { platform, ledger });
      platform.says("alice", `round ${round}`);
      await ledger.until(() => ledger.texts().length === round + 1);
      await run.stop();
      assert.equal(getEventListeners(run.signal, "abort").length, 0, "listeners are left on the signal");
    }
  });
}

const classOf = (result: SendResult): string => (result.ok ? "sent" : result.error.class);

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

function delivery(fields: Partial<Delivery>): Delivery {
  const fixed = { id: "out-1", idempotencyKey: "key-1", address: "alice", text: "hello" };
  return { ...fixed, attempt: 1, uncertain: false, createdAt: Date.now(), ...fields };
}

/** Stands for the router: keeps events once by their key, and the cursor of the last commit. */
function createLedger() {
  const changes = new EventTarget();
  const changed = () => changes.dispatchEvent(new Event("change"));
  let refusals = 0;
  const ledger = {
    events: new Map<string, InboundEventInput>(),
    cursor: undefined as string | undefined,
    health: undefined as ChannelHealth | undefined,
    handedOver: 0,
    refused: 0,
    texts: () => [...ledger.events.values()].map((event) => event.text),
    refuseNext: (times: number) => {
      refusals = times;
    },
    async until(condition: () => boolean): Promise<void> {
      const signal = AbortSignal.timeout(patienceMs);
      while (!condition()) {
        await new Promise((resolve, reject) => {
          changes.addEventListener("change", resolve, { once: true });
          signal.addEventListener("abort", () => reject(new Error("what the test waits for did not happen")));
        });
      }
    },
    context: {
      config: {},
      cursor: undefined,
      random: Math.random,
      async accept(events: readonly InboundEventInput[], cursor?: string): Promise<void> {
        if (refusals > 0) {
          refusals -= 1;
          ledger.refused += 1;
          changed();
          throw new Error("not committed");
        }
        for (const event of events) if (!ledger.events.has(event.dedupeKey)) ledger.events.set(event.dedupeKey, event);
        ledger.handedOver += events.length;
        ledger.cursor = cursor ?? ledger.cursor;
        changed();
      },
      health(health: ChannelHealth): void {
        ledger.health = health;
        changed();
      },
    },
  };
  return ledger;
}

interface Running {
  readonly adapter: ChannelAdapter;
  readonly signal: AbortSignal;
  /** Rejects when the adapter does not end in time. */
  stop(): Promise<void>;
}

function start(
  t: TestContext,
  adapterPackage: AdapterPackage,
  { platform, ledger = createLedger() }: { platform: ContractPlatform; ledger?: ReturnType<typeof createLedger> },
): Running {
  const controller = new AbortController();
  const context = { ...ledger.context, config: platform.config, cursor: ledger.cursor };
  const adapter = adapterPackage.create(context);
  const ended = adapter.run(controller.signal);
  const stop = async (): Promise<void> => {
    controller.abort();
    const timer = AbortSignal.timeout(stopDeadlineMs);
    const late = new Promise<never>((_, reject) => {
      timer.addEventListener("abort", () => reject(new Error(`the adapter did not end within ${stopDeadlineMs} ms`)));
    });
    await Promise.race([ended, late]);
  };
  t.after(stop);
  return { adapter, signal: controller.signal, stop };
}
