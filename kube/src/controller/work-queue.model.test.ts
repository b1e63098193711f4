import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TestClock } from "../testing/clock.ts";
import { WorkQueue } from "./work-queue.ts";

const keys = ["a", "b", "c", "d"];
const workers = 3;

/** What must hold, said as plainly as possible: sets and lists, and nothing fast. */
class Model {
  readonly order: string[] = [];
  readonly again = new Set<string>();
  readonly held = new Set<string>();
  readonly delayed = new Map<string, number>();
  now = 0;
  steps = 0;

  add(key: string): void {
    if (this.held.has(key)) this.again.add(key);
    else if (!this.order.includes(key)) this.order.push(key);
  }

  addAfter(key: string, ms: number): void {
    this.delayed.set(key, Math.min(this.now + ms, this.delayed.get(key) ?? Number.POSITIVE_INFINITY));
  }

  pass(ms: number): void {
    this.now += ms;
    const due = [...this.delayed].filter(([, at]) => at <= this.now).sort(([, a], [, b]) => a - b);
    for (const [key] of due) {
      this.delayed.delete(key);
      this.add(key);
    }
  }

  take(): string | undefined {
    const key = this.order.shift();
    if (key !== undefined) this.held.add(key);
    return key;
  }

  done(key: string): void {
    this.held.delete(key);
    if (this.again.delete(key)) this.order.push(key);
  }
}

interface Real {
  readonly clock: TestClock;
  readonly queue: WorkQueue;
}

type Step = fc.AsyncCommand<Model, Real>;

const key = fc.constantFrom(...keys);

const addStep = (name: string): Step => ({
  check: () => true,
  run: async (model, { queue }) => {
    model.add(name);
    queue.add(name);
  },
  toString: () => `add ${name}`,
});

const addAfterStep = (name: string, ms: number): Step => ({
  check: () => true,
  run: async (model, { queue }) => {
    // No two times are the same: which of two keys comes first at one moment is nobody's business.
    model.steps += 1;
    const distinctMs = ms + model.steps / 1_000_000;
    model.addAfter(name, distinctMs);
    queue.addAfter(name, distinctMs);
  },
  toString: () => `add ${name} after ${ms}`,
});

const passStep = (ms: number): Step => ({
  check: () => true,
  run: async (model, { clock, queue }) => {
    model.pass(ms);
    clock.pass(ms);
    assert.equal(queue.figures().depth, model.order.length);
  },
  toString: () => `pass ${ms}`,
});

const takeStep: Step = {
  check: ({ order, held }) => order.length > 0 && held.size < workers,
  run: async (model, { queue }) => {
    const taken = await queue.take();
    assert.ok(taken !== undefined && !model.held.has(taken), `${taken} is given to two workers`);
    assert.equal(taken, model.take());
  },
  toString: () => "take",
};

const doneStep = (at: number): Step => ({
  check: ({ held }) => held.size > 0,
  run: async (model, { queue }) => {
    const held = [...model.held];
    const name = held[at % held.length] ?? "";
    model.done(name);
    queue.done(name);
  },
  toString: () => `done ${at}`,
});

describe("the work queue, against its model", () => {
  it("never loses a key, never has it twice, and keeps the order", async () => {
    const steps = [
      key.map(addStep),
      fc.tuple(key, fc.integer({ min: 1, max: 40 })).map(([name, ms]) => addAfterStep(name, ms)),
      fc.integer({ min: 1, max: 30 }).map(passStep),
      fc.constant(takeStep),
      fc.nat({ max: workers }).map(doneStep),
    ];
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 120, size: "max" }), async (commands) => {
        const clock = new TestClock();
        const queue = new WorkQueue({ clock });
        const model = new Model();
        await fc.asyncModelRun(() => ({ model, real: { clock, queue } }), commands);
        // In the end every key that was asked for is handed out, and nothing else.
        model.pass(1_000);
        clock.pass(1_000);
        for (const name of [...model.held]) {
          model.done(name);
          queue.done(name);
        }
        while (model.order.length > 0) assert.equal(await queue.take(), model.take());
        assert.equal(queue.figures().depth, 0);
      }),
      { numRuns: 300 },
    );
  });
});
