import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { SessionWish } from "../queue/queue-store.ts";
import { WishWriter } from "./wish-writer.ts";

function build(put: (wish: SessionWish) => Promise<void>) {
  const row = { session: "default/s", group: "default/g", wanted: true, epoch: 1 };
  const ending = new AbortController();
  const writer = new WishWriter({
    store: { wish: async () => ({ ...row }), settle: async () => {} },
    starter: { put },
    random: () => 0,
    log: pino({ level: "silent" }),
    signal: ending.signal,
  });
  return { row, writer, ending };
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
    });
    writer.poke("default/s");
    await done.promise;
    assert.equal(failures, -1);
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
