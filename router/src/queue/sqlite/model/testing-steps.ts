import assert from "node:assert/strict";
import { leaseMs } from "@copepod/core/limits";
import type { FailureClass } from "@copepod/core/messages";
import type { TestClock } from "../../contract/testing.ts";
import type { AcceptRow, Conversation, QueueStore } from "../../queue-store.ts";
import type { QueueModel } from "./testing-model.ts";
import { maxRunning } from "./testing-model.ts";
import type { ModelOut, ModelRow, ModelSession } from "./testing-rows.ts";

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

export type Fit = (session: ModelSession) => boolean;

/** One of the sessions with which the step can be done, so that few steps are rolled in vain. */
export function pick(model: QueueModel, dice: Dice, isFit: Fit): ModelSession | undefined {
  const fit = model.sessions.filter(isFit);
  return fit[dice.session % Math.max(1, fit.length)];
}

export function picked(model: QueueModel, dice: Dice, isFit: Fit): ModelSession {
  const session = pick(model, dice, isFit);
  assert.ok(session);
  return session;
}

const isWanted: Fit = ({ wanted }) => wanted;

export function acceptStep(dice: Dice): Step {
  const row = (model: QueueModel) => ({
    session: nameOf(dice),
    key: `key ${dice.key}`,
    text: `said ${dice.key} in ${dice.session}, the ${model.counter}th`,
    kind: dice.other && dice.key % 4 === 0 ? ("task" as const) : ("chat" as const),
    trigger: dice.count !== 3,
    inMs: dice.count === 0 && dice.flag ? dice.ms : 0,
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
    isPossible: (model) => pick(model, dice, isWanted) !== undefined,
    call: (model) => {
      const { name, epoch } = picked(model, dice, isWanted);
      return async ({ store }) => await store().startFailed(name, epoch, "broken");
    },
    apply: (model, clock) => {
      const session = picked(model, dice, isWanted);
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
