import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FailureClass, MailboxMessage } from "@copepod/core/messages";
import { parseOutput } from "../runner/output.ts";
import { formatFollowUp, formatPrompt } from "../runner/prompt.ts";
import type { PromptPart, Provider, ProviderEvent, Turn } from "./provider.ts";

/** A provider with all that it needs, and messages that make it behave in known ways. Removed when disposed. */
export interface ProviderRig extends AsyncDisposable {
  readonly provider: Provider;
  /** Answered at once. */
  readonly quick: string;
  /** Works for less than a second, then answers. */
  readonly busy: string;
  /** Works until it is interrupted. */
  readonly endless: string;
  readonly failing: { readonly text: string; readonly class: FailureClass };
}

const destination = "family";
/** Longer than a provider takes for all of this, with a real harness on a busy machine. */
const timeoutMs = 240_000;
/** A turn that is interrupted has ended by then. */
const interruptMs = 5_000;

/** What every provider must do. Each provider's test runs it, with a rig of its own. */
export function providerContract(name: string, makeRig: () => Promise<ProviderRig>): void {
  describe(`the provider ${name}`, { timeout: timeoutMs }, () => {
    it("consumes the prompt before its result, and answers in the output grammar", async () => {
      await using rig = await makeRig();
      const events = await collect(start(rig, rig.quick));
      assert.deepEqual(consumedBefore(events, "result"), [1]);
      const last = events.at(-1);
      assert.equal(last?.kind, "result");
      const messages = parseOutput(last?.kind === "result" ? last.text : "").messages;
      assert.deepEqual(new Set(messages.map(({ to }) => to)), new Set([destination]));
    });

    it("ends its stream with exactly one result or failure", async () => {
      await using rig = await makeRig();
      for (const text of [rig.quick, rig.failing.text]) {
        const ends = (await collect(start(rig, text))).map(({ kind }) => kind === "result" || kind === "failed");
        assert.deepEqual([ends.indexOf(true), ends.at(-1)], [ends.length - 1, true]);
      }
    });

    it("says by its class why a turn failed", async () => {
      await using rig = await makeRig();
      const last = (await collect(start(rig, rig.failing.text))).at(-1);
      assert.equal(last?.kind === "failed" && last.class, rig.failing.class);
    });

    it("consumes what is pushed while it works, or leaves it; never a part of it, never what it was not given", async () => {
      await using rig = await makeRig();
      const turn = start(rig, rig.busy);
      const events: ProviderEvent[] = [];
      for await (const event of turn.events) {
        if (events.push(event) === 1) turn.push(followUp(2, rig.quick));
      }
      const consumed = consumedBefore(events, "result");
      assert.ok([1, 2].includes(consumed.length), `consumed: ${consumed}`);
      assert.deepEqual(consumed, [1, 2].slice(0, consumed.length));
    });

    it("leaves what is pushed after its end", async () => {
      await using rig = await makeRig();
      const turn = start(rig, rig.quick);
      const events = await collect(turn);
      turn.push(followUp(2, rig.quick));
      assert.deepEqual(consumedBefore(events, "result"), [1]);
    });

    it("shows signs of life while it works", async () => {
      await using rig = await makeRig();
      const kinds = (await collect(start(rig, rig.busy))).map(({ kind }) => kind);
      assert.ok(kinds.includes("tool") || kinds.includes("thinking"), kinds.join());
    });

    it("ends soon when it is interrupted, also twice, and works again afterwards", async () => {
      await using rig = await makeRig();
      const turn = start(rig, rig.endless);
      let interruptedAt = 0;
      for await (const event of turn.events) {
        if (interruptedAt > 0 || event.kind === "consumed") continue;
        interruptedAt = performance.now();
        await Promise.all([turn.interrupt(), turn.interrupt()]);
      }
      assert.ok(performance.now() - interruptedAt < interruptMs);
      await turn.interrupt();
      assert.equal((await collect(start(rig, rig.quick))).at(-1)?.kind, "result");
    });

    it("tells a continuation, and goes on from it", async () => {
      await using rig = await makeRig();
      const first = continuationOf(await collect(start(rig, rig.quick)));
      assert.ok(first !== undefined);
      const events = await collect(start(rig, rig.quick, first));
      assert.equal(events.at(-1)?.kind, "result");
      assert.ok(continuationOf(events) !== undefined);
    });

    it("leaves nothing running when it is closed, in a turn or between turns", async () => {
      await using rig = await makeRig();
      const turn = start(rig, rig.endless);
      for await (const event of turn.events) {
        if (event.kind !== "consumed") await rig.provider.close();
      }
      await rig.provider.close();
    });
  });
}

function start({ provider }: ProviderRig, text: string, continuation?: string): Turn {
  const prompt = { seqs: [1], text: formatPrompt([message(1, text)], "UTC", []) };
  return provider.start({ prompt, instructions: "Answer in blocks.", continuation });
}

const followUp = (seq: number, text: string): PromptPart => ({
  seqs: [seq],
  text: formatFollowUp([message(seq, text)], "UTC", []),
});

const message = (seq: number, text: string): MailboxMessage => ({
  kind: "chat",
  seq,
  trigger: true,
  redelivered: false,
  from: destination,
  sender: "Ann",
  time: 0,
  body: { text },
});

async function collect(turn: Turn): Promise<ProviderEvent[]> {
  return await Array.fromAsync(turn.events);
}

function consumedBefore(events: readonly ProviderEvent[], kind: ProviderEvent["kind"]): number[] {
  const end = events.findIndex((event) => event.kind === kind);
  return events.slice(0, end).flatMap((event) => (event.kind === "consumed" ? event.seqs : []));
}

const continuationOf = (events: readonly ProviderEvent[]): string | undefined =>
  events.findLast((event) => event.kind === "continuation")?.value;
