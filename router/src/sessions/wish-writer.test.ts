import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { SessionWish } from "../queue/queue-store.ts";
import { WishWriter } from "./wish-writer.ts";

function build(put: (wish: SessionWish) => Promise<number | undefined>, known = true) {
  const key = { kind: "Group", conversation: undefined, thread: undefined } as const;
  const row = { key, session: "default/s", group: "default/g", wanted: true, epoch: 1 };
  const [settled, dismissed]: [number[], string[]] = [[], []];
  const ending = new AbortController();
  const writer = new WishWriter({
    store: {
      wish: async () => (known ? { ...row } : undefined),
      settle: async (wish) => void settled.push(wish.epoch),
      raiseEpoch: async (_, epoch) => {
        row.epoch = epoch;
      },
    },
    starter: {
      put: async (wish) => (await put(wish)) ?? wish.epoch,
      dismiss: async (session) => void dismissed.push(session),
    },
    random: () => 0,
    log: pino({ level: "silent" }),
    signal: ending.signal,
  });
  return { row, writer, ending, settled, dismissed };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe("the wish writer", () => {
  it("writes the row's last state when it is poked during a write", async () => {
    const said: number[] = [];
    const done = Promise.withResolvers<void>();
    const { row, writer } = build(async ({ epoch }) => {
      said.push(epoch);
      if (epoch === 1) {
        row.epoch = 2;
        writer.poke("default/s");
        writer.poke("default/s");
      } else done.resolve();
      return undefined;
    });
    writer.poke("default/s");
    await done.promise;
    assert.deepEqual(said, [1, 2]);
  });

  it("tries again until the starter has taken the wish", async () => {
    let failures = 3;
    const done = Promise.withResolvers<void>();
    const { writer } = build(async () => {
      if (failures-- > 0) throw new Error("not there");
      done.resolve();
      return undefined;
    });
    writer.poke("default/s");
    await done.promise;
    assert.equal(failures, -1);
  });

  it("follows a starter that knows a greater epoch, and then says its wish again", async () => {
    for (const [wanted, followed] of [
      [true, 8],
      [false, 7],
    ] as const) {
      const { row, writer, settled } = build(async ({ epoch }) => Math.max(epoch, 7));
      row.wanted = wanted;
      writer.poke("default/s");
      await until(() => settled.length > 0);
      assert.deepEqual([row.epoch, settled], [followed, [followed]]);
    }
  });

  it("lets a session sleep that the queue does not know", async () => {
    const { writer, dismissed } = build(async () => assert.fail("nothing is wished"), false);
    writer.poke("default/s");
    await until(() => dismissed.length > 0);
    assert.deepEqual(dismissed, ["default/s"]);
  });

  it("stops trying when the router ends", async () => {
    const tried = Promise.withResolvers<void>();
    let puts = 0;
    const { writer, ending } = build(async () => {
      puts += 1;
      tried.resolve();
      throw new Error("not there");
    });
    writer.poke("default/s");
    await tried.promise;
    ending.abort();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(puts, 1);
  });
});
