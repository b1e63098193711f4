import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TestClock } from "../../contract/testing.ts";
import type { Conversation, QueueStore } from "../../queue-store.ts";
import { openSqliteQueue } from "../open-sqlite-queue.ts";
import { noJitter, QueueModel } from "./testing-model.ts";
import {
  acceptStep,
  admitStep,
  type Dice,
  expireStep,
  jumpStep,
  passStep,
  promoteStep,
  purgeStep,
  type Real,
  retryStep,
  type Step,
  sleepStep,
  startFailedStep,
} from "./testing-steps.ts";
import { failStep, finishStep, helloStep, postStep, takeStep } from "./testing-steps-mailbox.ts";
import { completeStep, failOutStep, hostHelloStep, leaseOutStep } from "./testing-steps-out.ts";

const sessionNames = ["default/0", "default/1", "default/2"];
/** Statements before which a crash may come; a step that has fewer crashes after its commit, before its answer. */
const crashDepth = 32;
const runs = 100;
const hourMs = 60 * 60_000;
const stepsPerRun = 70;

const log = { info() {}, error() {} };

/** The store on a file, in this thread, that can be stopped before any statement. */
class CrashingQueue implements Real, AsyncDisposable {
  readonly clock = new TestClock();
  readonly conversations = new Map<string, Conversation>();
  readonly #folder: string;
  #store: QueueStore | undefined;
  #statementsLeft = Number.POSITIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
  }

  readonly store = (): QueueStore => {
    assert.ok(this.#store);
    return this.#store;
  };

  get isDead(): boolean {
    return this.#statementsLeft < 0;
  }

  crashBefore(statement: number): void {
    this.#statementsLeft = statement;
  }

  /** As a new process: nothing is left but the file. */
  async open(): Promise<void> {
    await this.#store?.[Symbol.asyncDispose]();
    this.#statementsLeft = Number.POSITIVE_INFINITY;
    this.#store = await openSqliteQueue({
      path: join(this.#folder, "queue.db"),
      clock: this.clock,
      thread: "inline",
      log,
      random: () => noJitter,
      fault: () => {
        this.#statementsLeft -= 1;
        if (this.isDead) throw new Error("crash");
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}

/** A step, with a crash before its nth statement or without one. */
class StepCommand implements fc.AsyncCommand<QueueModel, CrashingQueue> {
  readonly #step: Step;
  readonly #crashAt: number | undefined;

  constructor(step: Step, crashAt: number | undefined) {
    this.#step = step;
    this.#crashAt = step.neverCrashes ? undefined : crashAt;
  }

  check(model: Readonly<QueueModel>): boolean {
    return this.#step.isPossible(model as QueueModel);
  }

  async run(model: QueueModel, real: CrashingQueue): Promise<void> {
    this.#step.wait?.(real.clock);
    const call = this.#step.call(model);
    if (this.#crashAt !== undefined) await this.#crash(model, real, call);
    const result = await call(real);
    this.#step.apply(model, real.clock)?.(result, this.#crashAt !== undefined);
    assert.deepEqual(await observe(real), expected(model));
  }

  toString(): string {
    return this.#crashAt === undefined ? this.#step.text : `${this.#step.text}, crash at ${this.#crashAt}`;
  }

  /** Afterwards the step has happened whole or not at all. */
  async #crash(model: QueueModel, real: CrashingQueue, call: (real: Real) => Promise<unknown>): Promise<void> {
    real.crashBefore(this.#crashAt ?? 0);
    await call(real).catch((error: unknown) => {
      if (!real.isDead) throw error;
    });
    await real.open();
    if (this.#step.follows) {
      this.#step.wait?.(real.clock);
      return;
    }
    const after = structuredClone(model);
    Object.setPrototypeOf(after, QueueModel.prototype);
    this.#step.apply(after, real.clock);
    const seen = await observe(real);
    const happened = JSON.stringify(seen) === JSON.stringify(expected(after));
    if (!happened) assert.deepEqual(seen, expected(model), "the step happened by half");
  }
}

describe("the SQLite queue against its model", () => {
  it("keeps every promise in any order of steps, with a crash between any two statements", {
    timeout: 240_000,
  }, async () => {
    const property = fc.asyncProperty(commands, async (sequence) => {
      await using real = new CrashingQueue(await mkdtemp(join(tmpdir(), "copepod-model-")));
      const model = new QueueModel(sessionNames);
      await fc.asyncModelRun(() => prepare(real, model), sequence);
      await runDry(model, real);
    });
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false });
  });
});

const dice: fc.Arbitrary<Dice> = fc.record({
  session: fc.nat(sessionNames.length - 1),
  key: fc.nat(12),
  count: fc.nat(3),
  flag: fc.boolean(),
  other: fc.boolean(),
  kind: fc.constantFrom("rateLimited", "transient", "permanent", "auth", "unknown"),
  ms: fc.constantFrom(1, 700, 2_000, 70_000, 500_000),
});

const crash = fc.option(fc.constantFrom(...Array(crashDepth).keys()), { nil: undefined, freq: 3 });

const commandOf = (weight: number, toStep: (dice: Dice) => Step) => ({
  weight,
  arbitrary: fc.tuple(dice, crash).map(([rolled, crashAt]) => new StepCommand(toStep(rolled), crashAt)),
});

const commands = fc.commands(
  [
    fc.oneof(
      commandOf(8, acceptStep),
      commandOf(3, helloStep),
      commandOf(8, takeStep),
      commandOf(6, finishStep),
      commandOf(2, postStep),
      commandOf(4, failStep),
      commandOf(3, passStep),
      commandOf(2, promoteStep),
      commandOf(2, sleepStep),
      commandOf(2, admitStep),
      commandOf(1, startFailedStep),
      commandOf(1, expireStep),
      commandOf(1, purgeStep),
      commandOf(1, jumpStep),
      commandOf(1, retryStep),
      commandOf(2, hostHelloStep),
      commandOf(4, leaseOutStep),
      commandOf(3, completeStep),
      commandOf(2, failOutStep),
    ),
  ],
  { maxCommands: stepsPerRun, size: "max" },
);

async function prepare(real: CrashingQueue, model: QueueModel): Promise<{ model: QueueModel; real: CrashingQueue }> {
  await real.open();
  for (const [index, address] of sessionNames.entries()) {
    const input = { namespace: "default", channel: "chat", address, name: address, isGroup: false };
    const served = { ...input, servedByRouter: index === 0 };
    real.conversations.set(address, await real.store().introduce(served, undefined));
  }
  return { model, real };
}

/** Nothing is lost: given time, everything that is open comes to an end. */
async function runDry(model: QueueModel, real: CrashingQueue): Promise<void> {
  const usual: Dice = { session: 0, key: 0, count: 3, flag: false, other: false, kind: "permanent", ms: hourMs };
  const steps = [
    passStep(usual),
    promoteStep(),
    admitStep(),
    ...sessionNames.flatMap((_, session) => {
      const rolled = { ...usual, session };
      return [helloStep(rolled), takeStep(rolled), finishStep({ ...rolled, count: 1_000 }), sleepStep(rolled)];
    }),
    hostHelloStep(),
    leaseOutStep(usual),
    completeStep(usual),
    completeStep(usual),
  ];
  for (let round = 0; isOpen(model); round++) {
    assert.ok(round < 300, "the queue does not run dry");
    for (const step of steps) {
      const command = new StepCommand(step, undefined);
      if (command.check(model)) await command.run(model, real);
    }
  }
}

const isOpen = (model: QueueModel): boolean =>
  model.rows.some(({ trigger, endedAt }) => trigger && endedAt === undefined) ||
  model.out.some(({ endedAt }) => endedAt === undefined);

interface Observed {
  readonly rows: readonly string[];
  readonly sessions: readonly string[];
  /** What the first conversation has heard, in order. */
  readonly heard: readonly string[];
}

async function observe(real: CrashingQueue): Promise<Observed> {
  const store = real.store();
  const query = { session: undefined, state: undefined, kind: undefined, limit: 100_000 };
  const lanes = new Map([...real.conversations].map(([lane, { id }]) => [id, lane]));
  const rows = (await store.listMessages(query)).map((row) =>
    [row.direction, row.session, lanes.get(row.conversation ?? ""), row.seq, row.state, row.attempt, row.code]
      .concat([row.retryAt, row.text])
      .join(" "),
  );
  const sessions = await store.listSessions("default", 100);
  const wanted = new Map((await store.wishes()).map((wish) => [wish.session, wish.wanted]));
  const served = real.conversations.get(sessionNames[0] ?? "");
  const { lines } = await store.linesAfter(served?.id ?? "", 0, 100_000);
  return {
    rows: rows.sort(),
    sessions: sessions
      .map(({ name, epoch, pending }) => `${name} ${epoch} ${pending} ${wanted.get(`default/${name}`) ?? false}`)
      .sort(),
    heard: lines.map(({ text }) => text),
  };
}

function expected(model: QueueModel): Observed {
  const incoming = model.rows.map((row) =>
    ["in", row.session, row.session, row.seq, row.state, row.attempt, row.code, row.retryAt, row.text].join(" "),
  );
  const outgoing = model.out.map((row) =>
    ["out", row.session, row.lane, row.seq, row.state, row.attempt, row.code, row.retryAt, row.text].join(" "),
  );
  const known = model.sessions.filter(({ name }) => model.isKnown(name));
  return {
    rows: [...incoming, ...outgoing].sort(),
    sessions: known
      .map(({ name, epoch, wanted }) => `${name.slice("default/".length)} ${epoch} ${model.pending(name)} ${wanted}`)
      .sort(),
    heard: model.out.filter(({ lane }) => model.isServed(lane)).map(({ text }) => text),
  };
}
