import assert from "node:assert/strict";
import { rejectsWith, textOf } from "../../contract/testing.ts";
import type { Holder, QueueStore } from "../../queue-store.ts";
import { destinationOf, type QueueModel } from "./testing-model.ts";
import type { ModelRow, ModelSession } from "./testing-rows.ts";
import { type Dice, type Fit, pick, picked, type Step } from "./testing-steps.ts";

const words = ["ja", "no"] as const;

const hasStarted: Fit = ({ epoch }) => epoch > 0;
const hasRunner: Fit = ({ instance }) => instance !== undefined;
const hasTurn: Fit = ({ known }) => known.length > 0;

const holderOf = (session: ModelSession): Holder => ({
  session: session.name,
  epoch: session.epoch,
  podUid: `pod ${session.name} ${session.epoch} ${session.pod}`,
  instance: session.instance ?? "nobody at all",
});

/** A new runner, perhaps in a new pod, says hello; the one before is refused from then on. */
export function helloStep(dice: Dice): Step {
  return {
    text: `hello ${dice.session} ${dice.flag ? "in a new pod" : ""}`,
    isPossible: (model) => pick(model, dice, hasStarted) !== undefined,
    call: (model) => {
      const session = picked(model, dice, hasStarted);
      const before = session.instance === undefined ? undefined : holderOf(session);
      const pod = session.pod + (dice.flag || !session.podKnown ? 1 : 0);
      const holder = holderOf({ ...session, pod, instance: `instance ${model.counter}` });
      return async ({ store }) => {
        await store().observePod(holder);
        await store().hello(holder);
        if (before) await rejectsWith(store().take(before, { held: [], limit: 1 }), "superseded");
      };
    },
    apply: (model) => {
      const instance = `instance ${model.counter}`;
      model.counter += 1;
      model.hello(picked(model, dice, hasStarted), { instance, newPod: dice.flag });
      return undefined;
    },
    // Two commits: between them the pod is known, and the runner is not.
    follows: true,
  };
}

export function takeStep(dice: Dice): Step {
  const limit = dice.count + 1;
  const isLost = dice.other && dice.flag;
  return {
    text: `take ${limit} in ${dice.session}${isLost ? ", and the answer is lost" : ""}`,
    isPossible: (model) => pick(model, dice, hasRunner) !== undefined,
    call: (model) => {
      const session = picked(model, dice, hasRunner);
      const [holder, held] = [holderOf(session), [...session.known]];
      return async ({ store }) => await store().take(holder, { held, limit });
    },
    apply: (model, clock) => {
      const session = picked(model, dice, hasRunner);
      const isFresh = session.known.length === 0;
      const rows = model.take(session, { limit, now: clock.now() });
      if (!isLost) session.known.push(...rows.map(({ seq }) => seq ?? 0));
      const expected = rows.map(({ text, seq, attempt }) => ({ text, seq, redelivered: attempt > 1 }));
      const said = isFresh ? saidBefore(model, rows) : [];
      return (result) => {
        const { messages, alreadySent } = result as Awaited<ReturnType<QueueStore["take"]>>;
        assert.deepEqual(
          alreadySent.map(({ text }) => text),
          said,
        );
        const seen = messages.map((each) => ({ text: textOf(each), seq: each.seq, redelivered: each.redelivered }));
        assert.deepEqual(seen, expected);
      };
    },
  };
}

/** What an earlier turn over the same first row has posted. */
function saidBefore(model: QueueModel, rows: readonly ModelRow[]): string[] {
  const [first] = rows;
  if (!first || rows.every(({ attempt }) => attempt <= 1)) return [];
  const mark = `in turn ${first.seq} of ${first.session}`;
  return model.out.map(({ text }) => text).filter((text) => text.endsWith(mark));
}

export function finishStep(dice: Dice): Step {
  const consumedOf = (session: ModelSession) => session.known.toSorted((a, b) => a - b).slice(0, dice.count + 1);
  const textOfTurn = (model: QueueModel) => `answer ${model.counter}`;
  return {
    text: `finish ${dice.count + 1} in ${dice.session}`,
    isPossible: (model) => pick(model, dice, hasTurn) !== undefined,
    call: (model) => {
      const session = picked(model, dice, hasTurn);
      const [holder, consumed] = [holderOf(session), consumedOf(session)];
      const messages = [{ to: destinationOf(session.name), text: textOfTurn(model) }];
      const turn = Math.min(...session.known);
      const input = { turn, consumed, messages, cancelled: false, notice: undefined };
      return async ({ store }) => await store().finish(holder, input);
    },
    apply: (model, clock) => {
      const session = picked(model, dice, hasTurn);
      model.finish(session, { consumed: consumedOf(session), text: textOfTurn(model), now: clock.now() });
      model.counter += 1;
      return (result, isRepeated) => {
        if (!isRepeated) assert.equal((result as { repeated: boolean }).repeated, false);
      };
    },
  };
}

export function postStep(dice: Dice): Step {
  const turnOf = (session: ModelSession) => Math.min(...session.known);
  const textOfPost = (session: ModelSession) => `${words[dice.key % 2]} in turn ${turnOf(session)} of ${session.name}`;
  return {
    text: `post in ${dice.session}`,
    isPossible: (model) => pick(model, dice, hasTurn) !== undefined,
    call: (model) => {
      const session = picked(model, dice, hasTurn);
      const message = {
        to: destinationOf(session.name),
        text: textOfPost(session),
        turn: turnOf(session),
        occurrence: 0,
      };
      const holder = holderOf(session);
      return async ({ store }) => await store().post(holder, message);
    },
    apply: (model, clock) => {
      const session = picked(model, dice, hasTurn);
      const isNew = model.post(session, { text: textOfPost(session), now: clock.now() });
      return (result, isRepeated) => {
        if (!isRepeated) assert.equal((result as { duplicate: boolean }).duplicate, !isNew);
      };
    },
  };
}

export function failStep(dice: Dice): Step {
  const kind = dice.kind === "auth" ? "permanent" : dice.kind;
  return {
    text: `fail ${kind} in ${dice.session}`,
    isPossible: (model) => pick(model, dice, hasTurn) !== undefined,
    call: (model) => {
      const session = picked(model, dice, hasTurn);
      const [holder, rows] = [holderOf(session), [...session.known]];
      const message = `broken ${model.counter}`;
      const input = { turn: Math.min(...rows), rows, class: kind, message, retryAfterMs: undefined };
      return async ({ store }) => await store().fail(holder, input);
    },
    apply: (model, clock) => {
      model.fail(picked(model, dice, hasTurn), { kind, message: `broken ${model.counter}`, now: clock.now() });
      model.counter += 1;
      return undefined;
    },
  };
}
