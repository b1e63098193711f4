import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseMs, maxOutboundAgeMs } from "@copepod/core/limits";
import type { ChannelError } from "@copepod/core/messages";
import { channelKey, type OpenQueue, type QueueWorld, rejectsWith, textsOf, withQueue } from "./testing.ts";

const host = "host-0001";

export function outboundContract(open: OpenQueue): void {
  const onQueue = withQueue(open, { servedByRouter: false });
  failureContract(open);

  describe("lanes out", () => {
    it(
      "give one delivery per conversation at a time, first in, first out",
      onQueue(async (world) => {
        await speak(world, "1", "2");
        await world.store.channelHello(channelKey, host);
        const [first] = await lease(world);
        assert.ok(first);
        assert.deepEqual([first.text, first.attempt, first.uncertain, first.address], ["1", 1, false, "alice"]);
        assert.deepEqual(await lease(world, [first.id]), []);
        const written = await world.store.completeOut(channelKey, host, first.id, "m1");
        assert.deepEqual(written.channels, [channelKey]);
        assert.deepEqual(
          (await lease(world)).map(({ text }) => text),
          ["2"],
        );
      }),
    );

    it(
      "do not wait for each other, and take turns",
      onQueue(async (world) => {
        const bob = await world.meet("bob", { servedByRouter: false });
        const carol = await world.meet("carol", { servedByRouter: false });
        const group = { session: "default/all", keyKind: "Group" as const };
        await world.say("a", group);
        await world.say("b", { ...group, conversation: bob });
        await world.say("c", { ...group, conversation: carol });
        const holder = await world.runner("default/all");
        await world.take(holder);
        const messages = ["alice", "alice", "bob", "carol"].map((to, index) => ({ to, text: `${to} ${index}` }));
        await world.finish(holder, [1, 2, 3], messages);
        await world.store.channelHello(channelKey, host);
        const order: string[] = [];
        for (let round = 0; round < 4; round++) {
          const [delivery] = await lease(world, [], 1);
          assert.ok(delivery);
          order.push(delivery.text);
          await world.store.completeOut(channelKey, host, delivery.id, "m");
        }
        assert.deepEqual(order.slice(0, 3).toSorted(), ["alice 0", "bob 2", "carol 3"]);
        assert.equal(order[3], "alice 1");
      }),
    );

    it(
      "hand out again what the host does not know that it holds, not as uncertain",
      onQueue(async (world) => {
        await speak(world, "1");
        await world.store.channelHello(channelKey, host);
        const [lost] = await lease(world);
        const [again] = await lease(world);
        assert.deepEqual(again, lost);
        assert.ok(lost);
        assert.deepEqual(await lease(world, [lost.id]), []);
        assert.deepEqual(await lease(world, [lost.id], 0), []);
      }),
    );

    it(
      "give the deliveries of a lost host to the next one as uncertain, and refuse the old one",
      onQueue(async (world) => {
        await speak(world, "1");
        await world.store.channelHello(channelKey, host);
        const [delivery] = await lease(world);
        assert.ok(delivery);
        await world.store.channelHello(channelKey, "host-0002");
        await rejectsWith(world.store.completeOut(channelKey, host, delivery.id, "m"), "superseded");
        await rejectsWith(world.store.failOut(channelKey, host, delivery.id, transient), "superseded");
        await rejectsWith(lease(world), "superseded");
        await rejectsWith(world.store.channelHello(channelKey, host), "superseded");
        const input = { held: [], limit: 10 };
        const { deliveries } = await world.store.leaseOut(channelKey, "host-0002", input);
        assert.deepEqual(deliveries, [{ ...delivery, attempt: 2, uncertain: true }]);
      }),
    );

    it(
      "end a host that is not heard of",
      onQueue(async (world) => {
        await speak(world, "1");
        await world.store.channelHello(channelKey, host);
        await lease(world);
        world.clock.pass(leaseMs - 1);
        assert.deepEqual(await world.store.expireHosts(), []);
        world.clock.pass(1);
        assert.deepEqual(await world.store.expireHosts(), [channelKey]);
        assert.deepEqual(await world.store.expireHosts(), []);
        await rejectsWith(lease(world), "superseded");
      }),
    );

    it(
      "are delivered by their commit where the router serves the channel itself",
      withQueue(open)(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1], [{ to: "alice", text: "answer" }]);
        assert.deepEqual(await world.heard(), ["agent: answer"]);
        await world.store.channelHello(channelKey, host);
        assert.deepEqual(await lease(world), []);
      }),
    );

    it(
      "may have the outcome repeated",
      onQueue(async (world) => {
        await speak(world, "1");
        await world.store.channelHello(channelKey, host);
        const [delivery] = await lease(world);
        assert.ok(delivery);
        await world.store.completeOut(channelKey, host, delivery.id, "m");
        await world.store.completeOut(channelKey, host, delivery.id, "m");
        await world.store.failOut(channelKey, host, delivery.id, transient);
        assert.equal((await world.rows({ state: "sent" })).length, 1);
        await rejectsWith(world.store.completeOut(channelKey, host, "nothing", "m"), "notFound");
        assert.deepEqual(await world.heard(), ["agent: 1"]);
      }),
    );
  });
}

function failureContract(open: OpenQueue): void {
  const onQueue = withQueue(open, { servedByRouter: false });

  describe("a delivery that fails", () => {
    it(
      "for a while blocks its lane until it is tried again, as certain as before",
      onQueue(async (world) => {
        await speak(world, "1", "2");
        const id = await failFirst(world, { ...transient, retryAfterMs: 5_000 });
        const { nextAt } = await world.store.leaseOut(channelKey, host, { held: [], limit: 10 });
        assert.equal(nextAt, world.clock.now() + 5_000);
        world.clock.pass(5_000);
        const [again] = await lease(world);
        assert.deepEqual([again?.id, again?.attempt, again?.uncertain], [id, 2, false]);
      }),
    );

    it(
      "for longer than it may ends as a dead letter, and the next one goes",
      onQueue(async (world) => {
        await speak(world, "1", "2");
        await failFirst(world, transient);
        world.clock.pass(maxOutboundAgeMs);
        await failFirst(world, transient);
        await assertParked(world, { state: "dead", code: "expired" });
        assert.equal((await lease(world))[0]?.text, "2");
      }),
    );

    it(
      "for good ends as a dead letter, of which the agent hears with its next batch",
      onQueue(async (world) => {
        await speak(world, "1", "2");
        await failFirst(world, { class: "permanent", message: "The chat is gone." });
        await assertParked(world, { state: "dead", code: "channelFailed" });
        await world.say("next");
        const [note, next] = textsOf(await world.take(await world.runner()));
        assert.equal(note, 'Your message to "alice" was not delivered: The chat is gone.');
        assert.equal(next, "next");
      }),
    );

    it(
      "for the credentials is tried until it is too old",
      onQueue(async (world) => {
        await speak(world, "1");
        await failFirst(world, { class: "auth", message: "401" });
        assert.equal((await world.rows({ state: "pending" })).length, 1);
        world.clock.pass(maxOutboundAgeMs);
        await failFirst(world, { class: "auth", message: "401" });
        await assertParked(world, { state: "dead", code: "channelAuth" });
      }),
    );

    it(
      "with an unknown outcome is parked, does not block, and can be retried by hand",
      onQueue(async (world) => {
        await speak(world, "1", "2");
        const id = await failFirst(world, { class: "unknown", message: "The connection broke." });
        await assertParked(world, { state: "unknown", code: "outcomeUnknown" });
        const { item, channels } = await world.store.retry(id);
        assert.deepEqual([item.state, channels], ["pending", [channelKey]]);
        const [second] = await lease(world);
        assert.equal(second?.text, "2", "a retried row goes to the end of its lane");
        await world.store.completeOut(channelKey, host, second?.id ?? "", "m");
        assert.equal((await lease(world))[0]?.text, "1");
      }),
    );
  });
}

const transient: ChannelError = { class: "transient", message: "503" };

/** The agent answers with these messages. */
async function speak(world: QueueWorld, ...texts: string[]): Promise<void> {
  await world.say("a");
  const holder = await world.runner();
  const [message] = (await world.take(holder)).messages;
  assert.ok(message);
  const messages = texts.map((text) => ({ to: "alice", text }));
  await world.finish(holder, [message.seq], messages);
}

const lease = async (world: QueueWorld, held: readonly string[] = [], limit = 10) =>
  (await world.store.leaseOut(channelKey, host, { held, limit })).deliveries;

async function failFirst(world: QueueWorld, error: ChannelError): Promise<string> {
  await world.store.channelHello(channelKey, host);
  const [delivery] = await lease(world);
  assert.ok(delivery);
  await world.store.failOut(channelKey, host, delivery.id, error);
  return delivery.id;
}

async function assertParked(world: QueueWorld, expected: { state: "dead" | "unknown"; code: string }): Promise<void> {
  const rows = await world.rows({ state: expected.state });
  assert.deepEqual(
    rows.map(({ text, code }) => ({ text, code })),
    [{ text: "1", code: expected.code }],
  );
}
