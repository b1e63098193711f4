import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { providerSilenceMs } from "@copepod/core/limits";
import { pino } from "pino";
import type { ProviderEvent, Turn } from "../providers/provider.ts";
import { follow, interruptGraceMs } from "./attempt.ts";
import { FakeTime, settle } from "./testing/fake-time.ts";

const log = pino({ level: "silent" });

/** A turn whose events the test sends. */
function turnOf(options: { endsWhenInterrupted: boolean }) {
  const events: ProviderEvent[] = [];
  let wake = Promise.withResolvers<void>();
  let interrupts = 0;
  const say = (event: ProviderEvent): void => {
    events.push(event);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  async function* stream(): AsyncGenerator<ProviderEvent> {
    for (;;) {
      const event = events.shift();
      if (event) yield event;
      else await wake.promise;
    }
  }
  const turn: Turn = {
    events: stream(),
    push: () => undefined,
    async interrupt() {
      interrupts++;
      if (options.endsWhenInterrupted) say({ kind: "failed", class: "transient", message: "interrupted" });
    },
  };
  return { turn, say, interrupts: () => interrupts };
}

const none = new AbortController().signal;
const onEvent = (): void => undefined;

describe("following a provider's turn", () => {
  it("ends with its result, and hands on every event before", async () => {
    const { turn, say } = turnOf({ endsWhenInterrupted: true });
    const heard: string[] = [];
    const end = follow(turn, {
      interrupt: none,
      onEvent: (event) => heard.push(event.kind),
      time: new FakeTime(),
      log,
    });
    say({ kind: "thinking" });
    say({ kind: "result", text: "done" });
    assert.deepEqual(await end, { kind: "result", text: "done" });
    assert.deepEqual(heard, ["thinking"]);
  });

  it("interrupts a provider that is silent for too long, counted from its last event", async () => {
    const time = new FakeTime();
    const { turn, say, interrupts } = turnOf({ endsWhenInterrupted: true });
    const end = follow(turn, { interrupt: none, onEvent, time, log });
    await time.advance(providerSilenceMs - 1);
    say({ kind: "thinking" });
    await time.advance(providerSilenceMs - 1);
    assert.equal(interrupts(), 0);
    await time.advance(1);
    assert.deepEqual(await end, { kind: "silent", hung: false, silenceMs: providerSilenceMs });
  });

  it("gives a tool the longer time that it has declared", async () => {
    const time = new FakeTime();
    const { turn, say, interrupts } = turnOf({ endsWhenInterrupted: true });
    const end = follow(turn, { interrupt: none, onEvent, time, log });
    say({ kind: "tool", name: "build", timeoutMs: 3 * providerSilenceMs });
    await time.advance(3 * providerSilenceMs - 1);
    assert.equal(interrupts(), 0);
    await time.advance(1);
    assert.equal((await end).kind, "silent");
  });

  it("does not wait for a provider that ignores the interrupt", async () => {
    const time = new FakeTime();
    const stop = new AbortController();
    const { turn, interrupts } = turnOf({ endsWhenInterrupted: false });
    const end = follow(turn, { interrupt: stop.signal, onEvent, time, log });
    await settle();
    stop.abort();
    await time.advance(interruptGraceMs);
    assert.deepEqual(await end, { kind: "interrupted", hung: true });
    assert.equal(interrupts(), 1);
  });

  it("hears nothing more of a turn that it has left", async () => {
    const time = new FakeTime();
    const stop = new AbortController();
    const { turn, say } = turnOf({ endsWhenInterrupted: false });
    const heard: string[] = [];
    const end = follow(turn, { interrupt: stop.signal, onEvent: (event) => heard.push(event.kind), time, log });
    stop.abort();
    await time.advance(interruptGraceMs);
    await end;
    say({ kind: "consumed", seqs: [1] });
    await settle();
    assert.deepEqual(heard, []);
  });
});
