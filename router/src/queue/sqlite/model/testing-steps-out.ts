import assert from "node:assert/strict";
import { channelKey } from "../../contract/testing.ts";
import type { QueueStore } from "../../queue-store.ts";
import { keyOfDelivery, type QueueModel } from "./testing-model.ts";
import type { ModelOut } from "./testing-rows.ts";
import type { Dice, Real, Step } from "./testing-steps.ts";

export function hostHelloStep(): Step {
  return {
    text: "a new adapter host",
    isPossible: () => true,
    call: (model) => {
      const instance = `host ${model.counter}`;
      return async ({ store }) => await store().channelHello(channelKey, instance);
    },
    apply: (model) => {
      model.hostHello(`host ${model.counter}`);
      model.counter += 1;
      return undefined;
    },
  };
}

export function leaseOutStep(dice: Dice): Step {
  const isLost = dice.other && dice.flag;
  return {
    text: `lease ${dice.count} deliveries${isLost ? ", and the answer is lost" : ""}`,
    isPossible: (model) => model.host !== undefined,
    call: (model) => {
      const [host, held] = [model.host ?? "", [...model.knownOut]];
      return async (real) => {
        const ids = await idsOf(real, held);
        return await real.store().leaseOut(channelKey, host, { held: ids, limit: dice.count });
      };
    },
    apply: (model, clock) => (result) => {
      const { deliveries } = result as Awaited<ReturnType<QueueStore["leaseOut"]>>;
      const isKnown = (row: ModelOut) => model.knownOut.includes(keyOfDelivery(row.lane, row.text));
      const lost = model.out.filter((row) => row.state === "leased" && !isKnown(row));
      const ready = model.readyOut(clock.now());
      const fresh = deliveries.slice(lost.length);
      assert.deepEqual(
        deliveries.slice(0, lost.length).map(({ text }) => text),
        lost.map(({ text }) => text),
      );
      assert.equal(fresh.length, Math.max(0, Math.min(dice.count - lost.length, ready.length)));
      for (const { text, address } of fresh) {
        const row = ready.find((each) => each.text === text && each.lane === address && each.state === "pending");
        assert.ok(row, `${text} is not the ready head of its lane`);
        Object.assign(row, { state: "leased", attempt: row.attempt + 1, retryAt: undefined });
      }
      for (const { address, uncertain } of deliveries) {
        assert.equal(uncertain, model.out.find((row) => row.lane === address && row.state === "leased")?.uncertain);
      }
      if (!isLost) model.knownOut.push(...deliveries.map(({ address, text }) => keyOfDelivery(address, text)));
    },
    follows: true,
  };
}

export function completeStep(dice: Dice): Step {
  return outcomeStep(dice, {
    text: "a delivery is shown",
    call: (store, host, id) => store.completeOut(channelKey, host, id, "m"),
    apply: (_model, row, now) => Object.assign(row, { state: "sent", endedAt: now }),
  });
}

export function failOutStep(dice: Dice): Step {
  const kind = dice.kind === "auth" ? "transient" : dice.kind;
  return outcomeStep(dice, {
    text: `a delivery fails: ${kind}`,
    call: (store, host, id) => store.failOut(channelKey, host, id, { class: kind, message: "broken" }),
    apply: (model, row, now) => model.failOut(row, { kind, now }),
  });
}

function outcomeStep(
  dice: Dice,
  outcome: {
    readonly text: string;
    call(store: QueueStore, host: string, id: string): Promise<unknown>;
    apply(model: QueueModel, row: ModelOut, now: number): unknown;
  },
): Step {
  const keyOfOne = (model: QueueModel) => model.knownOut[dice.count % Math.max(1, model.knownOut.length)] ?? "";
  return {
    text: outcome.text,
    isPossible: (model) => model.host !== undefined && model.knownOut.length > 0,
    call: (model) => {
      const [host, key] = [model.host ?? "", keyOfOne(model)];
      let id: string | undefined;
      return async (real) => {
        // The second time it may be leased no more, but its id stays.
        id ??= (await idsOf(real, [key]))[0];
        assert.ok(id);
        await outcome.call(real.store(), host, id);
      };
    },
    apply: (model, clock) => {
      const key = keyOfOne(model);
      const row = model.out.find((each) => keyOfDelivery(each.lane, each.text) === key && each.state === "leased");
      assert.ok(row);
      outcome.apply(model, row, clock.now());
      model.knownOut = model.knownOut.filter((each) => each !== key);
      return undefined;
    },
  };
}

async function idsOf(real: Real, keys: readonly string[]): Promise<string[]> {
  const query = { session: undefined, state: "leased" as const, kind: undefined, limit: 10_000 };
  const rows = (await real.store().listMessages(query)).filter(({ direction }) => direction === "out");
  const lanes = new Map([...real.conversations].map(([lane, { id }]) => [id, lane]));
  const ids = new Map(rows.map((row) => [keyOfDelivery(lanes.get(row.conversation ?? "") ?? "", row.text), row.id]));
  return keys.flatMap((key) => ids.get(key) ?? []);
}
