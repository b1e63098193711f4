import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxContextRowsPerSession, maxOutboundAgeMs, maxPostsPerTurn, maxRetryAfterMs } from "@copepod/core/limits";
import { channelKey, type OpenQueue, type QueueWorld, rejectsWith, textsOf, withQueue } from "./testing.ts";

const host = "host-0001";

/** Whatever comes in and goes on, nothing grows or lasts for ever. */
export function boundsContract(open: OpenQueue): void {
  const onQueue = withQueue(open);
  const onPlatform = withQueue(open, { servedByRouter: false });

  describe("a session that has nothing to do", () => {
    it(
      "gives its place to one that has, the longest idle first",
      onQueue(async (world) => {
        for (const session of ["default/a", "default/b"]) {
          await world.say("hi", { session, maxRunning: 2 });
          const holder = await world.runner(session);
          await world.take(holder);
          await world.finish(holder, [1]);
          world.clock.pass(1_000);
        }
        const outcome = await world.say("me", { session: "default/c", maxRunning: 2 });
        assert.deepEqual(outcome.outcome === "accepted" && outcome.wake, {
          kind: "woken",
          epoch: 1,
          evicted: "default/a",
        });
        assert.equal((await world.store.wish("default/a"))?.wanted, false);
        assert.equal((await world.store.wish("default/b"))?.wanted, true);
        assert.deepEqual(await world.heard(), [], "nobody is told to wait");
      }),
    );
  });

  describe("a turn", () => {
    it(
      "sends a bounded number of messages before its end",
      onQueue(async (world) => {
        await world.say("go");
        const holder = await world.runner();
        await world.take(holder);
        const post = (number: number) =>
          world.store.post(holder, { to: "alice", text: `post ${number}`, turn: 1, occurrence: 0 });
        for (let number = 0; number < maxPostsPerTurn; number++) await post(number);
        await rejectsWith(post(maxPostsPerTurn), "rateLimited");
        assert.equal((await post(0)).duplicate, true, "a repeat is no further one");
      }),
    );

    it(
      "that failed waits no longer than it may, whatever the provider asks for",
      onQueue(async (world) => {
        await world.say("go");
        const holder = await world.runner();
        await world.take(holder);
        const failure = { turn: 1, rows: [1], class: "rateLimited" as const, message: "busy" };
        await world.store.fail(holder, { ...failure, retryAfterMs: Number.MAX_SAFE_INTEGER });
        world.clock.pass(maxRetryAfterMs);
        assert.deepEqual(textsOf(await world.take(holder)), ["go"]);
      }),
    );
  });

  describe("context that no turn uses up", () => {
    it(
      "never keeps a message from being taken",
      onQueue(async (world) => {
        await world.say("wake");
        const holder = await world.runner();
        const held: number[] = [];
        for (let round = 0; round < 3; round++) {
          for (let count = 0; count < maxContextRowsPerSession; count++) await world.say("aside", { trigger: false });
          const question = await world.say(`question ${round}`);
          assert.equal(question.outcome, "accepted");
          const { messages } = await world.take(holder, held);
          held.push(...messages.map(({ seq }) => seq));
          const triggers = messages.filter(({ trigger }) => trigger).map(({ seq }) => seq);
          await world.finish(holder, triggers);
        }
        await world.say("the last question");
        assert.ok(textsOf(await world.take(await world.runner())).includes("the last question"));
      }),
    );
  });

  describe("a message out that nobody could deliver in time", () => {
    it(
      "ends as a dead letter when no host came for it",
      onPlatform(async (world) => {
        await world.say("hi");
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1], [{ to: "alice", text: "answer" }]);
        await world.store.expireDeliveries();
        assert.equal((await outRows(world))[0]?.state, "pending");
        world.clock.pass(maxOutboundAgeMs);
        await world.store.expireDeliveries();
        const [row] = await outRows(world);
        assert.deepEqual([row?.state, row?.code], ["dead", "expired"]);
      }),
    );

    it(
      "is parked as unknown when it may have been shown",
      onPlatform(async (world) => {
        await world.say("hi");
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1], [{ to: "alice", text: "answer" }]);
        await world.store.channelHello(channelKey, host);
        await world.store.leaseOut(channelKey, host, { held: [], limit: 1 });
        await world.store.channelHello(channelKey, "host-0002");
        world.clock.pass(maxOutboundAgeMs);
        await world.store.expireDeliveries();
        const [row] = await outRows(world);
        assert.deepEqual([row?.state, row?.code], ["unknown", "outcomeUnknown"]);
        const { item } = await world.store.retry(row?.id ?? "");
        assert.equal(item.state, "pending");
        const { deliveries } = await world.store.leaseOut(channelKey, "host-0002", { held: [], limit: 1 });
        assert.equal(deliveries[0]?.uncertain, true, "so that its history is looked up");
      }),
    );
  });
}

const outRows = async (world: QueueWorld) => (await world.rows()).filter(({ direction }) => direction === "out");
