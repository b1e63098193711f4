import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseMs, maxInboundAttempts } from "@copepod/core/limits";
import { failure, final, type OpenQueue, type QueueWorld, rejectsWith, seqsOf, textsOf, withQueue } from "./testing.ts";

export function turnContract(open: OpenQueue): void {
  const onQueue = withQueue(open);

  describe("finish", () => {
    it(
      "says the final messages and ends the rows in one commit, and may be repeated",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder);
        const first = await world.store.finish(holder, final([1, 2], "answer"));
        assert.deepEqual(first, { repeated: false, channels: [], conversations: [world.conversation.id] });
        const again = await world.store.finish(holder, final([1, 2], "answer"));
        assert.equal(again.repeated, true);
        assert.deepEqual(await world.heard(), ["agent: answer"]);
        assert.equal((await world.store.listSessions("default", 1))[0]?.pending, 0);
      }),
    );

    it(
      "ends only the rows that the provider consumed",
      onQueue(async (world) => {
        await world.sayAll("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.say("follow-up");
        assert.deepEqual(textsOf(await world.take(holder, [1])), ["follow-up"]);
        await world.finish(holder, [1]);
        assert.deepEqual(seqsOf(await world.take(holder, [])), [2]);
        await world.finish(holder, [2]);
        assert.equal((await world.finish(holder, [1])).repeated, true);
      }),
    );

    it(
      "refuses rows that the holder does not hold, and changes nothing",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder, [], 1);
        await rejectsWith(world.finish(holder, [1, 2], [{ to: "alice", text: "x" }]), "conflict");
        await rejectsWith(world.finish(holder, [77]), "conflict");
        assert.deepEqual(await world.heard(), []);
        assert.deepEqual(seqsOf(await world.take(holder)), [1]);
      }),
    );

    it(
      "answers a second, different turn of the same number",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.finish(holder, { ...final([2], "ok"), turn: 1 });
        await world.store.finish(holder, { ...final([1], "ok"), turn: 1 });
        assert.deepEqual(await world.heard(), ["agent: ok", "agent: ok"]);
      }),
    );

    it(
      "keeps a message to an unknown destination as a dead row, and tells the agent with its next batch",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1], [{ to: "bob", text: "psst" }]);
        const [dead] = await world.rows({ state: "dead" });
        assert.deepEqual([dead?.direction, dead?.text, dead?.code], ["out", "psst", "destinationUnknown"]);
        await world.say("b");
        const taken = await world.take(holder);
        assert.deepEqual(
          taken.messages.map(({ trigger, from, sender }) => ({ trigger, from, sender })),
          [
            { trigger: false, from: "alice", sender: "Copepod" },
            { trigger: true, from: "alice", sender: "alice" },
          ],
        );
        assert.match(textsOf(taken)[0] ?? "", /no destination named "bob"/);
      }),
    );

    it(
      "answers in the thread of the conversation's latest row, and names what it replies to",
      onQueue(async (world) => {
        const { outcomes } = await world.store.accept({
          rows: [world.row("a", { thread: "t1" }), world.row("b", { thread: "t2" })],
          refused: [],
        });
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1, 2], [{ to: "alice", text: "answer" }]);
        const { lines, position } = await world.store.linesAfter(world.conversation.id, 0, 10);
        assert.deepEqual([lines[0]?.inReplyTo, position], [outcomes[0]?.outcome === "accepted" && outcomes[0].id, 1]);
      }),
    );
  });

  describe("post", () => {
    it(
      "sends at once; an equal repeat falls away, another occurrence does not",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        const message = { to: "alice", text: "working", turn: 1, occurrence: 0 };
        const first = await world.store.post(holder, message);
        assert.deepEqual([first.seq, first.duplicate, first.conversations], [2, false, [world.conversation.id]]);
        const again = await world.store.post(holder, message);
        assert.deepEqual([again.seq, again.duplicate], [2, true]);
        assert.equal((await world.store.post(holder, { ...message, occurrence: 1 })).seq, 3);
        assert.deepEqual(await world.heard(), ["agent: working", "agent: working"]);
      }),
    );

    it(
      "refuses an unknown destination and a turn that is over",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        const message = { to: "bob", text: "hi", turn: 1, occurrence: 0 };
        await rejectsWith(world.store.post(holder, message), "destinationUnknown");
        await world.finish(holder, [1]);
        await rejectsWith(world.store.post(holder, { ...message, to: "alice" }), "conflict");
      }),
    );

    it(
      "is listed for the turn that repeats the one that said it",
      onQueue(async (world) => {
        await world.say("a");
        const first = await world.runner();
        await world.take(first);
        const message = { to: "alice", text: "working", turn: 1, occurrence: 0 };
        await world.store.post(first, message);
        const second = await world.runner();
        const taken = await world.take(second);
        assert.deepEqual(taken.alreadySent, [{ to: "alice", text: "working" }]);
        assert.equal((await world.store.post(second, message)).duplicate, true);
        await world.finish(second, [1], [{ to: "alice", text: "done" }]);
        assert.deepEqual(await world.heard(), ["agent: working", "agent: done"]);
      }),
    );
  });

  describe("fail", () => {
    it(
      "of a passing kind gives the rows back, which block the lane until their time",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder, [], 1);
        const { dead } = await world.store.fail(holder, {
          ...failure([1]),
          class: "rateLimited",
          retryAfterMs: 30_000,
        });
        assert.deepEqual(dead, []);
        world.clock.pass(29_999);
        assert.deepEqual(textsOf(await world.take(holder)), []);
        world.clock.pass(1);
        const taken = await world.take(holder);
        assert.deepEqual(textsOf(taken), ["a", "b"]);
        assert.deepEqual(
          taken.messages.map(({ redelivered }) => redelivered),
          [true, false],
        );
      }),
    );

    it(
      "for good ends the rows with a code, tells it once, and the lane goes on",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder);
        const input = { ...failure([1, 2]), class: "permanent" as const, message: "The prompt is too long." };
        assert.deepEqual((await world.store.fail(holder, input)).dead, [1, 2]);
        assert.deepEqual((await world.store.fail(holder, input)).dead, [1, 2], "may be repeated");
        assert.deepEqual(await world.heard(), ["system: I can't answer your message: The prompt is too long."]);
        await world.say("c");
        assert.deepEqual(textsOf(await world.take(holder)), ["c"]);
        await world.store.fail(holder, { ...failure([3]), class: "auth", message: "401" });
        const dead = await world.rows({ state: "dead" });
        assert.deepEqual(
          dead.map(({ code }) => code),
          ["providerAuth", "providerFailed", "providerFailed"],
        );
      }),
    );

    it(
      "ends a row at its last attempt",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        for (let attempt = 1; attempt < maxInboundAttempts; attempt++) await failOnce(world, holder);
        await world.take(holder);
        assert.deepEqual((await world.store.fail(holder, failure([1]))).dead, [1]);
        assert.equal((await world.rows({ state: "dead" }))[0]?.code, "attemptsExhausted");
        assert.match((await world.heard()).join(), /after 5 attempts. The last error: overloaded/);
      }),
    );
  });
}

async function failOnce(world: QueueWorld, holder: Parameters<QueueWorld["take"]>[0]): Promise<void> {
  assert.deepEqual(seqsOf(await world.take(holder)), [1]);
  assert.deepEqual((await world.store.fail(holder, failure([1]))).dead, []);
  world.clock.pass(leaseMs - 1);
  await world.store.extend(holder);
  world.clock.pass(leaseMs - 1);
}
