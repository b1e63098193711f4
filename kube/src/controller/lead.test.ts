import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { campaign } from "../lease/election.ts";
import { LeaseServer } from "../lease/testing/leases.ts";
import { TestClock } from "../testing/clock.ts";
import { Controller, type Reconcile } from "./controller.ts";
import { lead } from "./lead.ts";
import { ownKey, sourceOf } from "./sources.ts";
import { HandCache, makeObject } from "./testing/objects.ts";

const lease = { namespace: "system", name: "the-lease" };
const quiet = { debug: () => {}, info: () => {}, warn: () => {} };

function start(reconcile: Reconcile) {
  const clock = new TestClock();
  const server = new LeaseServer(clock);
  const cache = new HandCache();
  cache.sync(makeObject("a"));
  const stop = new AbortController();
  const random = () => 0.5;
  const client = server.client();
  const led = lead(
    {
      campaign: (signal) => campaign({ client, lease, identity: "me", clock, random, log: quiet }, signal),
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
  return { clock, server, client, stop, led };
}

describe("leading", () => {
  it("releases the Lease after the last reconcile has ended, and not before", async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { clock, server, stop, led } = start(() => promise);
    await clock.elapse(100);
    stop.abort(new Error("stopped"));
    await clock.elapse(500);
    assert.equal(server.spec.holderIdentity, "me");
    resolve(undefined);
    await led;
    assert.equal(server.spec.holderIdentity, null);
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

  it("ends the campaign when it is stopped before it leads", async () => {
    const { clock, client, stop, led } = start(async () => undefined);
    client.fault = "down";
    await clock.elapse(5_000, 100);
    const reason = new Error("stopped");
    stop.abort(reason);
    await assert.rejects(led, reason);
    assert.equal(clock.timers, 0);
  });
});
