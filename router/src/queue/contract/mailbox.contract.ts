import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseMs, maxInboundAttempts } from "@copepod/core/limits";
import { failure, type OpenQueue, rejectsWith, textsOf, withQueue } from "./testing.ts";

export function mailboxContract(open: OpenQueue): void {
  const onQueue = withQueue(open);
  takeContract(open);

  describe("holders", () => {
    it(
      "are checked by epoch, pod and instance",
      onQueue(async (world) => {
        await world.say("a");
        const early = { session: "default/one", epoch: 1, podUid: "pod", instance: "instance-a" };
        await rejectsWith(world.store.hello(early), "podUnknown");
        await world.store.observePod(early);
        await world.store.hello(early);
        await rejectsWith(world.store.hello({ ...early, epoch: 2 }), "podUnknown");
        await rejectsWith(world.store.hello({ ...early, epoch: 0 }), "superseded");
        await rejectsWith(world.store.hello({ ...early, podUid: "another" }), "podUnknown");
        await rejectsWith(world.take({ ...early, instance: "instance-b" }), "superseded");
        await rejectsWith(world.store.hello({ ...early, session: "default/nobody" }), "superseded");
      }),
    );

    it(
      "change with a hello: the one before loses its rows and is refused for good",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const first = await world.runner();
        assert.deepEqual(textsOf(await world.take(first)), ["a", "b"]);
        const second = await world.runner();
        await rejectsWith(world.take(first), "superseded");
        await rejectsWith(world.store.extend(first), "superseded");
        await rejectsWith(world.finish(first, [1, 2]), "superseded");
        await rejectsWith(world.store.hello(first), "superseded");
        const taken = await world.take(second);
        assert.deepEqual(textsOf(taken), ["a", "b"]);
        assert.ok(taken.messages.every(({ redelivered }) => redelivered));
      }),
    );

    it(
      "may repeat their hello",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.hello(holder);
        assert.deepEqual(textsOf(await world.take(holder, [1])), []);
      }),
    );

    it(
      "are ended when they are not heard of for the lease time",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        world.clock.pass(leaseMs - 1);
        await world.store.extend(holder);
        world.clock.pass(leaseMs - 1);
        assert.deepEqual(await world.store.expireHolders(), []);
        world.clock.pass(1);
        const { session, instance } = holder;
        assert.deepEqual(await world.store.expireHolders(), [{ session, instance }]);
        assert.deepEqual(await world.store.expireHolders(), []);
        await rejectsWith(world.take(holder), "superseded");
        await rejectsWith(world.store.hello(holder), "superseded");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["a"]);
      }),
    );

    it(
      "get the full lease time again after a restart",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        world.clock.pass(leaseMs - 1);
        await world.restart();
        world.clock.pass(leaseMs - 1);
        assert.deepEqual(await world.store.expireHolders(), []);
        await world.finish(holder, [1]);
        world.clock.pass(leaseMs);
        assert.equal((await world.store.expireHolders()).length, 1);
      }),
    );

    it(
      "change with the pod: its UID is known from then on, and the old one never again",
      onQueue(async (world) => {
        await world.say("a");
        const old = await world.runner("default/one", "pod-1");
        await world.take(old);
        const next = { ...old, podUid: "pod-2", instance: "instance-new" };
        assert.equal(await world.store.observePod(next), true);
        assert.equal(await world.store.observePod(next), false);
        assert.equal(await world.store.observePod(old), false);
        await rejectsWith(world.take(old), "superseded");
        await world.store.hello(next);
        assert.deepEqual(textsOf(await world.take(next)), ["a"]);
      }),
    );
  });

  describe("drain", () => {
    it(
      "gives nothing new to the pod, repeats what was lost, and ends with the next pod",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.say("b");
        await world.store.drain(holder.session, holder.epoch, holder.podUid);
        assert.deepEqual(await world.store.extend(holder), { draining: true });
        const blocked = await world.take(holder, [1]);
        assert.deepEqual([textsOf(blocked), blocked.draining], [[], true]);
        assert.deepEqual(textsOf(await world.take(holder, [])), ["a"]);
        await world.finish(holder, [1], [{ to: "alice", text: "answer" }]);
        const next = await world.runner("default/one", "next pod");
        const taken = await world.take(next);
        assert.deepEqual([textsOf(taken), taken.draining], [["b"], false]);
        await rejectsWith(world.store.drain(holder.session, holder.epoch, holder.podUid), "superseded");
      }),
    );
  });

  describe("stop", () => {
    it(
      "comes out of order to the session whose turn answers the conversation, until it is acknowledged",
      onQueue(async (world) => {
        const other = await world.meet("bob");
        await world.say("a");
        await world.say("from bob", { session: "default/two", conversation: other });
        const holder = await world.runner();
        await world.take(holder);
        assert.deepEqual(await world.store.stop(other.id, "chat:bob"), []);
        assert.deepEqual(await world.store.stop(world.conversation.id, "chat:alice"), ["default/one"]);
        assert.deepEqual(await world.store.stop(world.conversation.id, "chat:alice"), ["default/one"]);
        const { control, messages } = await world.take(holder, [1]);
        assert.deepEqual(messages, []);
        assert.deepEqual(
          control.map(({ body }) => body),
          [{ action: "stop", turn: 1 }],
        );
        assert.deepEqual((await world.take(holder, [1])).control, [], "not at once again");
        world.clock.pass(10_000);
        assert.equal((await world.take(holder, [1])).control.length, 1, "the answer may be lost");
        await world.store.acknowledge(
          holder,
          control.map(({ id }) => id),
        );
        world.clock.pass(10_000);
        assert.deepEqual((await world.take(holder, [1])).control, []);
      }),
    );

    it(
      "ends with its turn, whose rows may end as cancelled",
      onQueue(async (world) => {
        await world.sayAll("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.stop(world.conversation.id, "chat:alice");
        await world.store.finish(holder, { turn: 1, consumed: [1], messages: [], cancelled: true, notice: "Stopped." });
        assert.deepEqual((await world.take(holder)).control, []);
        assert.deepEqual(await world.heard(), ["system: Stopped."]);
        const [row] = (await world.rows({ state: "done" })).filter(({ kind }) => kind === "chat");
        assert.equal(row?.code, "cancelled");
        assert.deepEqual(await world.store.stop(world.conversation.id, "chat:alice"), []);
      }),
    );
  });
}

function takeContract(open: OpenQueue): void {
  const onQueue = withQueue(open);

  describe("take", () => {
    it(
      "hands out again what the runner does not know that it holds",
      onQueue(async (world) => {
        await world.sayAll("a", "b", "c");
        const holder = await world.runner();
        await world.take(holder, [], 2);
        const again = await world.take(holder, [1], 2);
        assert.deepEqual(textsOf(again), ["b"]);
        assert.equal(again.messages[0]?.redelivered, false);
        assert.deepEqual(textsOf(await world.take(holder, [1, 2], 2)), ["c"]);
      }),
    );

    it(
      "ends a batch before a row of another kind, which comes alone",
      onQueue(async (world) => {
        await world.say("a");
        await world.say("task", { kind: "task" });
        await world.say("b");
        const holder = await world.runner();
        assert.deepEqual(textsOf(await world.take(holder)), ["a"]);
        assert.deepEqual(textsOf(await world.take(holder, [1])), [], "a task is never pushed into a turn");
        await world.finish(holder, [1]);
        assert.deepEqual(textsOf(await world.take(holder)), ["task"]);
        assert.deepEqual(textsOf(await world.take(holder, [2])), ["b"], "chat is");
      }),
    );

    it(
      "counts only rows that trigger against the limit",
      onQueue(async (world) => {
        await world.say("c1", { trigger: false });
        await world.say("a");
        await world.say("c2", { trigger: false });
        await world.say("b");
        await world.say("c", {});
        assert.deepEqual(textsOf(await world.take(await world.runner(), [], 2)), ["c1", "a", "c2", "b"]);
      }),
    );

    it(
      "gives nothing for context alone",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.answer(holder, "ok");
        await world.say("context", { trigger: false });
        assert.deepEqual(textsOf(await world.take(holder)), []);
      }),
    );

    it(
      "names the sender and the destination of an answer",
      onQueue(async (world) => {
        await world.say("hello");
        const [message] = (await world.take(await world.runner())).messages;
        assert.deepEqual(message, {
          kind: "chat",
          seq: 1,
          trigger: true,
          redelivered: false,
          from: "alice",
          sender: "alice",
          time: world.clock.now(),
          body: { text: "hello" },
        });
        assert.deepEqual(await world.store.destinations("default/one"), [{ name: "alice", displayName: "alice" }]);
      }),
    );

    it(
      "keeps the names of an address book apart",
      onQueue(async (world) => {
        const other = await world.meet("alice", { channel: "other" });
        await world.say("a", { keyKind: "Group" });
        await world.say("b", { keyKind: "Group", conversation: other });
        const taken = await world.take(await world.runner());
        assert.deepEqual(
          taken.messages.map(({ from }) => from),
          ["alice", "alice-2"],
        );
      }),
    );

    it(
      "says when the lane goes on",
      onQueue(async (world) => {
        await world.say("now");
        await world.say("later", { inMs: 90_000 });
        const holder = await world.runner();
        await world.take(holder);
        assert.equal((await world.take(holder, [1])).nextAt, world.clock.now() + 90_000);
        await world.store.fail(holder, failure([1]));
        const { nextAt } = await world.take(holder);
        assert.ok(nextAt !== undefined && nextAt > world.clock.now() && nextAt < world.clock.now() + 90_000);
      }),
    );

    it(
      "ends a row that was leased as often as it may be, tells it, and goes on with the next",
      onQueue(async (world) => {
        await world.sayAll("poison");
        for (let attempt = 1; attempt <= maxInboundAttempts; attempt++) {
          assert.deepEqual(textsOf(await world.take(await world.runner())), ["poison"]);
        }
        await world.say("next");
        const taken = await world.store.take(await world.runner(), { held: [], limit: 10 });
        assert.deepEqual(textsOf(taken), ["next"]);
        assert.deepEqual(taken.conversations, [world.conversation.id]);
        const [dead] = await world.rows({ state: "dead" });
        assert.deepEqual([dead?.text, dead?.code], ["poison", "attemptsExhausted"]);
        assert.match((await world.heard()).join(), /system: I gave up on your message after 5 attempts/);
      }),
    );
  });
}
