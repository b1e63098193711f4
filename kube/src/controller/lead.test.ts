import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { campaign } from "../lease/election.ts";
import { LeaseServer } from "../lease/testing/leases.ts";
import { TestClock } from "../testing/clock.ts";
import { Controller, type Reconcile } from "./controller.ts";
import { lead } from "./lead.ts";
import { ownKey } from "./owners.ts";
import { sourceOf } from "./sources.ts";
import { HandCache, makeObject } from "./testing/objects.ts";

const lease = { namespace: "system", name: "the-lease" };
const quiet = { debug: () => {}, info: () => {}, warn: () => {} };

function start(reconcile: Reconcile) {
  const clock = new TestClock();
  const server = new LeaseServer(clock);
  const cache = new HandCache();
  cache.sync(makeObject("a"));
  const stop = new AbortController();
  const followed: string[] = [];
  const reflectors = {
    run: async (signal: AbortSignal) => {
      followed.push("begins");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      followed.push(`ends, the Lease held by ${server.lease && server.spec.holderIdentity}`);
    },
  };
  const random = () => 0.5;
  const client = server.client();
  const led = lead(
    {
      reflectors,
      campaign: (signal) => campaign({ client, lease, candidate: "me", clock, random, log: quiet }, signal),
      begin: () => [
        new Controller({
          ...{ name: "things", reconcile, clock, random, log: quiet },
          sources: [sourceOf(cache.store, { keysOf: ownKey })],
        }),
      ],
      drainMs: 1_000,
    },
    stop.signal,
  );
  led.catch(() => undefined);
  return { clock, server, client, stop, led, followed };
}

describe("leading", () => {
  it("releases the Lease after the last reconcile has ended, and not before", async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { clock, server, stop, led, followed } = start(() => promise);
    await clock.elapse(100);
    stop.abort(new Error("stopped"));
    await clock.elapse(500);
    assert.equal(server.spec.holderIdentity, "me");
    assert.deepEqual(followed, ["begins"], "what drains reads its caches");
    resolve(undefined);
    await led;
    assert.equal(server.spec.holderIdentity, null);
    assert.deepEqual(followed, ["begins", "ends, the Lease held by null"]);
    assert.equal(clock.timers, 0);
  });

  it("lets the Lease run out when something does not end: it may still act", async () => {
    const { clock, server, stop, led } = start(() => new Promise(() => {}));
    await clock.elapse(100);
    stop.abort(new Error("stopped"));
    await clock.elapse(20_000, 100);
    await led;
    assert.equal(server.spec.holderIdentity, "me");
  });

  it("ends with an error when the leadership is lost, and releases nothing that another may hold", async () => {
    const { clock, server, led } = start(async () => undefined);
    await clock.elapse(100);
    server.patch({}, { spec: { holderIdentity: "other", leaseTransitions: 5 } });
    await clock.elapse(5_000, 100);
    await assert.rejects(led, { code: "superseded" });
    assert.equal(server.spec.holderIdentity, "other");
  });

  it("ends when one controller fails, and not before the others act no more", async () => {
    const clock = new TestClock();
    const server = new LeaseServer(clock);
    const client = server.client();
    const { promise: work, resolve: finish } = Promise.withResolvers<boolean>();
    let isOver = false;
    const led = lead(
      {
        reflectors: { run: async () => {} },
        campaign: (signal) => campaign({ client, lease, candidate: "me", clock, random: () => 0, log: quiet }, signal),
        begin: () => [
          { run: async () => Promise.reject(new Error("no cache")) },
          {
            run: async ({ stop }) => {
              await new Promise((resolve) => stop.addEventListener("abort", resolve));
              return await work;
            },
          },
        ],
        drainMs: 1_000,
      },
      new AbortController().signal,
    );
    const settled = led
      .catch((error: unknown) => error)
      .finally(() => {
        isOver = true;
      });
    await clock.elapse(200);
    assert.ok(!isOver);
    finish(true);
    const error = await settled;
    assert.ok(error instanceof Error && error.message === "no cache");
    assert.equal(clock.timers, 0);
  });

  it("ends the campaign when it is stopped before it leads", async () => {
    const { clock, client, stop, led, followed } = start(async () => undefined);
    client.fault = "down";
    await clock.elapse(5_000, 100);
    stop.abort(new Error("stopped"));
    await led;
    assert.equal(followed.length, 2);
    assert.equal(clock.timers, 0);
  });
});
