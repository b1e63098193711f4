import assert from "node:assert/strict";
import { leaseMs } from "@copepod/core/limits";
import type { FailureClass } from "@copepod/core/messages";
import type { AcceptRow, Conversation, Holder, QueueStore } from "./queue-store.ts";
import { rejectsWith, type TestClock, textOf } from "./testing.ts";
import type { ModelOut, ModelRow, ModelSession, QueueModel } from "./testing-model.ts";
import { destinationOf, maxRunning } from "./testing-model.ts";

/** The store under test and what belongs to it; the model lies beside it. */
export interface Real {
  readonly clock: TestClock;
  readonly conversations: ReadonlyMap<string, Conversation>;
  store(): QueueStore;
}

/** One thing that somebody does with the queue, in the model and for real. */
export interface Step {
  readonly text: string;
  isPossible(model: QueueModel): boolean;
  /** Moves the clock, before anything else. */
  wait?(clock: TestClock): void;
  /** What is done for real. Reads the model as it is before the step; may be repeated. */
  call(model: QueueModel): (real: Real) => Promise<unknown>;
  /** What it does to the model, and the check of the real result. A repeated step's result may tell that it was done. */
  apply(model: QueueModel, clock: TestClock): ((result: unknown, isRepeated: boolean) => void) | undefined;
  /** The model follows a choice that is the store's own, so that it can't be foreseen. */
  readonly follows?: boolean;
  /** The store may forget what has only just happened around it. */
  readonly neverCrashes?: boolean;
}

const dayMs = 24 * 60 * 60_000;

const words = ["ja", "no"] as const;

export interface Dice {
  readonly session: number;
  readonly key: number;
  readonly count: number;
  readonly flag: boolean;
  readonly other: boolean;
  readonly kind: FailureClass;
  readonly ms: number;
}

const nameOf = (dice: Dice): string => `default/${dice.session}`;

export const holderOf = (session: ModelSession): Holder => ({
  session: session.name,
  epoch: session.epoch,
  podUid: `pod ${session.name} ${session.epoch} ${session.pod}`,
  instance: session.instance ?? "nobody at all",
});

export function acceptStep(dice: Dice): Step {
  const row = (model: QueueModel) => ({
    session: nameOf(dice),
    key: `key ${dice.key}`,
    text: `said ${dice.key} in ${dice.session}, the ${model.counter}th`,
    kind: dice.other && dice.flag ? ("task" as const) : ("chat" as const),
    trigger: dice.flag,
    inMs: dice.count === 0 ? dice.ms : 0,
  });
  return {
    text: `accept ${JSON.stringify(dice)}`,
    isPossible: () => true,
    call: (model) => {
      const input = row(model);
      return async (real) => await real.store().accept({ rows: [acceptRow(real, input)], refused: [] });
    },
    apply: (model, clock) => {
      const { inMs, ...rest } = row(model);
      model.counter += 1;
      const isNew = model.accept({ ...rest, due: clock.now() + inMs }, clock.now());
      return (result, isRepeated) => {
        const [outcome] = (result as Awaited<ReturnType<QueueStore["accept"]>>).outcomes;
        if (!isRepeated) assert.equal(outcome?.outcome, isNew ? "accepted" : "duplicate");
      };
    },
  };
}

function acceptRow(
  real: Real,
  row: { session: string; key: string; text: string; kind: "chat" | "task"; trigger: boolean; inMs: number },
): AcceptRow {
  const conversation = real.conversations.get(row.session);
  assert.ok(conversation);
  return {
    session: {
      session: row.session,
      group: "default/group",
      keyKind: "Conversation",
      conversation: conversation.id,
      thread: undefined,
      maxRunning,
    },
    kind: row.kind,
    dedupeKey: row.key,
    trigger: row.trigger,
    due: real.clock.now() + row.inMs,
    replyTo: { conversation: conversation.id, thread: undefined },
    destinationName: row.session,
    sender: { identity: "chat:x", name: "x" },
    body: row.kind === "task" ? { prompt: row.text } : { text: row.text },
    trace: undefined,
  };
}

/** A new runner, perhaps in a new pod, says hello; the one before is refused from then on. */
export function helloStep(dice: Dice): Step {
  return {
    text: `hello ${dice.session} ${dice.flag ? "in a new pod" : ""}`,
    isPossible: (model) => model.session(nameOf(dice)).epoch > 0,
    call: (model) => {
      const session = model.session(nameOf(dice));
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
      model.hello(model.session(nameOf(dice)), { instance, newPod: dice.flag });
      return undefined;
    },
    // Two commits: between them the pod is known, and the runner is not.
    follows: true,
  };
}

export function takeStep(dice: Dice): Step {
  const limit = dice.count + 1;
  return {
    text: `take ${limit} in ${dice.session}${dice.other ? ", and the answer is lost" : ""}`,
    isPossible: (model) => model.session(nameOf(dice)).instance !== undefined,
    call: (model) => {
      const session = model.session(nameOf(dice));
      const [holder, held] = [holderOf(session), [...session.known]];
      return async ({ store }) => await store().take(holder, { held, limit });
    },
    apply: (model, clock) => {
      const session = model.session(nameOf(dice));
      const isFresh = session.known.length === 0;
      const rows = model.take(session, { limit, now: clock.now() });
      if (!dice.other) session.known.push(...rows.map(({ seq }) => seq ?? 0));
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
    isPossible: (model) => model.session(nameOf(dice)).known.length > 0,
    call: (model) => {
      const session = model.session(nameOf(dice));
      const [holder, consumed] = [holderOf(session), consumedOf(session)];
      const messages = [{ to: destinationOf(session.name), text: textOfTurn(model) }];
      const turn = Math.min(...session.known);
      const input = { turn, consumed, messages, cancelled: false, notice: undefined };
      return async ({ store }) => await store().finish(holder, input);
    },
    apply: (model, clock) => {
      const session = model.session(nameOf(dice));
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
    isPossible: (model) => model.session(nameOf(dice)).known.length > 0,
    call: (model) => {
      const session = model.session(nameOf(dice));
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
      const session = model.session(nameOf(dice));
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
    isPossible: (model) => model.session(nameOf(dice)).known.length > 0,
    call: (model) => {
      const session = model.session(nameOf(dice));
      const [holder, rows] = [holderOf(session), [...session.known]];
      const message = `broken ${model.counter}`;
      const input = { turn: Math.min(...rows), rows, class: kind, message, retryAfterMs: undefined };
      return async ({ store }) => await store().fail(holder, input);
    },
    apply: (model, clock) => {
      model.fail(model.session(nameOf(dice)), { kind, message: `broken ${model.counter}`, now: clock.now() });
      model.counter += 1;
      return undefined;
    },
  };
}

export function sleepStep(dice: Dice): Step {
  return {
    text: `sleep ${dice.session}`,
    isPossible: () => true,
    call: () => async (real) => await real.store().sleepIfIdle(nameOf(dice), real.clock.now() + 1, 0),
    apply: (model, clock) => {
      const isAsleep = model.sleep(model.session(nameOf(dice)), clock.now());
      return (result, isRepeated) => {
        if (!isRepeated) assert.equal(result, isAsleep);
      };
    },
  };
}

export function admitStep(): Step {
  return {
    text: "admit",
    isPossible: () => true,
    call: () => async (real) => await real.store().admit("default/group", maxRunning),
    apply: (model, clock) => {
      const admitted = model.admit(clock.now());
      return (result, isRepeated) => {
        if (!isRepeated) assert.deepEqual(result, admitted);
      };
    },
  };
}

export function promoteStep(): Step {
  return {
    text: "promote",
    isPossible: () => true,
    call: () => async (real) => await real.store().promoteDue(),
    apply: (model, clock) => {
      model.promote(clock.now());
      return undefined;
    },
  };
}

/** The start fails; its retry is after the shortest back-off without jitter. */
export function startFailedStep(dice: Dice): Step {
  return {
    text: `the start of ${dice.session} fails`,
    isPossible: (model) => model.session(nameOf(dice)).wanted,
    call: (model) => {
      const { name, epoch } = model.session(nameOf(dice));
      return async ({ store }) => await store().startFailed(name, epoch, "broken");
    },
    apply: (model, clock) => {
      const session = model.session(nameOf(dice));
      const retryAt = clock.now() + Math.min(450_000, 30_000 * 2 ** session.failures);
      model.startFailed(session, { now: clock.now(), retryAt, reason: "broken" });
      return (result) => assert.equal((result as { retryAt: number }).retryAt, retryAt);
    },
  };
}

/** Nobody is heard of for the lease time. */
export function expireStep(): Step {
  return {
    text: "all leases end",
    isPossible: () => true,
    wait: (clock) => clock.pass(leaseMs),
    call: () => async (real) => {
      await real.store().expireHolders();
      await real.store().expireHosts();
    },
    apply: (model) => {
      for (const session of model.sessions) model.endInstance(session);
      if (model.host !== undefined) model.hostHello(model.host);
      model.host = undefined;
      return undefined;
    },
    follows: true,
  };
}

export function passStep(dice: Dice): Step {
  return {
    text: `${dice.ms} ms pass`,
    isPossible: () => true,
    wait: (clock) => clock.pass(dice.ms),
    call: () => async () => undefined,
    apply: () => undefined,
  };
}

export function purgeStep(): Step {
  return {
    text: "purge",
    isPossible: () => true,
    call: () => async (real) => await real.store().purge(real.clock.now()),
    apply: (model, clock) => {
      model.purge(clock.now());
      return undefined;
    },
  };
}

/** The clock on the wall is set; the store notices with its next commit. */
export function jumpStep(dice: Dice): Step {
  const ms = dice.flag ? dayMs : -dayMs;
  return {
    text: `the clock jumps by ${ms} ms`,
    isPossible: () => true,
    wait: (clock) => clock.jump(ms),
    call: () => async (real) =>
      await real.store().audit({ actor: "test", action: "jump", subject: "clock", detail: String(ms) }),
    apply: (model) => {
      model.jump(ms);
      return undefined;
    },
    neverCrashes: true,
  };
}

/** An admin tries a dead letter, or a parked delivery, again. */
export function retryStep(dice: Dice): Step {
  const pick = (model: QueueModel): ModelRow | ModelOut | undefined => {
    // Notes and sentences are left out, since their texts may be equal.
    const dead = model.rows.filter(({ state, trigger }) => state === "dead" && trigger);
    const parked = model.out.filter(
      ({ state, session }) => (state === "dead" || state === "unknown") && session !== "",
    );
    const all = [...dead, ...parked];
    return all[dice.key % Math.max(1, all.length)];
  };
  return {
    text: "retry a dead letter",
    isPossible: (model) => pick(model) !== undefined,
    call: (model) => {
      const text = pick(model)?.text ?? "";
      return async ({ store }) => {
        const query = { session: undefined, state: undefined, kind: undefined, limit: 10_000 };
        const rows = await store().listMessages(query);
        const row = rows.find((each) => each.text === text && (each.state === "dead" || each.state === "unknown"));
        if (row) await store().retry(row.id);
      };
    },
    apply: (model, clock) => {
      const row = pick(model);
      if (row && "key" in row) model.retryIn(row, clock.now());
      else if (row) model.retryOut(row, clock.now());
      return undefined;
    },
  };
}
