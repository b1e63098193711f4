import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failure, type OpenQueue, rejectsWith, seqsOf, textsOf, withQueue } from "./testing.ts";

const dayMs = 24 * 60 * 60_000;

export function keepingContract(open: OpenQueue): void {
  const onQueue = withQueue(open);
  clockContract(open);

  describe("reading", () => {
    it(
      "shows a conversation's lines of both directions in their order",
      onQueue(async (world) => {
        await world.say("question");
        const holder = await world.runner();
        await world.answer(holder, "answer");
        await world.say("thanks");
        const { lines, position } = await world.store.history(world.conversation.id, 10);
        assert.deepEqual(
          lines.map(({ from, text, sender }) => ({ from, text, sender })),
          [
            { from: "person", text: "question", sender: "alice" },
            { from: "agent", text: "answer", sender: undefined },
            { from: "person", text: "thanks", sender: "alice" },
          ],
        );
        const last = await world.store.history(world.conversation.id, 2);
        assert.deepEqual(
          last.lines.map(({ text }) => text),
          ["answer", "thanks"],
        );
        const after = await world.store.linesAfter(world.conversation.id, position, 10);
        assert.deepEqual([after.lines, after.position], [[], position]);
        assert.deepEqual(after.open, [lines[2]?.id]);
      }),
    );

    it(
      "lists rows of both directions, the newest first, filtered",
      onQueue(async (world) => {
        await world.say("a");
        await world.say("task", { kind: "task", session: "default/two" });
        await world.answer(await world.runner(), "answer");
        const list = async (filter: Partial<Parameters<typeof world.store.listMessages>[0]>) => {
          const query = { session: undefined, state: undefined, kind: undefined, limit: 10, ...filter };
          return (await world.store.listMessages(query)).map(({ text }) => text);
        };
        assert.deepEqual(await list({}), ["answer", "task", "a"]);
        assert.deepEqual(await list({ session: "default/one" }), ["answer", "a"]);
        assert.deepEqual(await list({ kind: "task" }), ["task"]);
        assert.deepEqual(await list({ state: "pending" }), ["task"]);
        assert.deepEqual(await list({ state: "done" }), ["a"]);
        assert.deepEqual(await list({ state: "sent", limit: 1 }), ["answer"]);
        assert.deepEqual(await list({ state: "unknown" }), []);
        // Refusals have no session; where they were told says whose they are.
        const refusal = {
          ...{ conversation: world.conversation.id, dedupeKey: "r", sender: undefined, body: {} },
          ...{ code: "senderUnknown" as const, reason: "no entry", tell: { thread: undefined } },
        };
        await world.store.accept({ rows: [], refused: [refusal] });
        await world.say("elsewhere", { session: "other/three" });
        assert.deepEqual(await list({ namespace: "other" }), ["elsewhere"]);
        assert.deepEqual(await list({ namespace: "default" }), ["no entry", "", "answer", "task", "a"]);
        assert.deepEqual(await list({ namespace: "default", state: "dead" }), [""]);
        assert.deepEqual(await list({ namespace: "other", state: "pending" }), ["elsewhere"]);
        assert.deepEqual(await list({ namespace: "oth" }), []);
      }),
    );

    it(
      "lists the sessions of a namespace, the last active first",
      onQueue(async (world) => {
        await world.say("a");
        world.clock.pass(10);
        await world.say("b", { session: "default/two", maxRunning: 1 });
        await world.say("c", { session: "other/three" });
        const rows = await world.store.listSessions("default", 10);
        assert.deepEqual(
          rows.map(({ name, group, phase, pending, reason }) => ({ name, group, phase, pending, reason })),
          [
            {
              name: "two",
              group: "group",
              phase: "Asleep",
              pending: 1,
              reason: "Waits until a running session of its agent group sleeps.",
            },
            { name: "one", group: "group", phase: "Waking", pending: 1, reason: undefined },
          ],
        );
      }),
    );

    it(
      "counts rows by state",
      onQueue(async (world) => {
        await world.sayAll("a", "b", "c");
        const holder = await world.runner();
        await world.take(holder, [], 2);
        await world.finish(holder, [1], [{ to: "alice", text: "x" }]);
        const { inbound, outbound, oldestPendingAt } = await world.store.stats();
        assert.deepEqual(inbound, { pending: 1, leased: 1, done: 1, dead: 0 });
        assert.deepEqual(outbound, { pending: 0, leased: 0, sent: 1, unknown: 0, dead: 0 });
        assert.equal(oldestPendingAt, world.clock.now());
      }),
    );
  });

  describe("retry", () => {
    it(
      "makes a dead letter pending again, at the end of its lane, and wakes",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        const holder = await world.runner();
        await world.take(holder, [], 1);
        await world.store.fail(holder, { ...failure([1]), class: "permanent" });
        await world.take(holder);
        await world.finish(holder, [2]);
        world.clock.pass(1_000);
        await world.store.sleepIfIdle("default/one", world.clock.now(), 0);
        const [dead] = await world.rows({ state: "dead" });
        const { item, wake } = await world.store.retry(dead?.id ?? "");
        assert.deepEqual([item.state, item.attempt, item.code, wake.kind], ["pending", 0, undefined, "woken"]);
        const taken = await world.take(await world.runner());
        assert.deepEqual([textsOf(taken), taken.messages[0]?.redelivered], [["a"], false]);
        assert.ok((seqsOf(taken)[0] ?? 0) > 2);
      }),
    );

    it(
      "refuses what is not dead",
      onQueue(async (world) => {
        const outcome = await world.say("a");
        assert.equal(outcome.outcome, "accepted");
        if (outcome.outcome !== "accepted") return;
        await rejectsWith(world.store.retry(outcome.id), "conflict");
        await rejectsWith(world.store.retry("nothing"), "notFound");
      }),
    );

    it(
      "finds only what is of the namespace, when one is asked for",
      onQueue(async (world) => {
        await world.sayAll("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.fail(holder, { ...failure([1]), class: "permanent" });
        const [dead] = await world.rows({ state: "dead" });
        await rejectsWith(world.store.retry(dead?.id ?? "", "defaul"), "notFound");
        const { item } = await world.store.retry(dead?.id ?? "", "default");
        assert.equal(item.state, "pending");
      }),
    );
  });

  describe("purge", () => {
    it(
      "removes what has ended, never what is open, and forgets its dedupe keys only then",
      onQueue(async (world) => {
        await world.say("old", { key: "k" });
        const holder = await world.runner();
        await world.answer(holder, "answer");
        await world.say("open");
        world.clock.pass(dayMs);
        await world.say("new");
        assert.equal(await world.store.purge(world.clock.now() - 2 * dayMs), 0);
        assert.equal((await world.say("old", { key: "k" })).outcome, "duplicate");
        assert.equal(await world.store.purge(world.clock.now()), 2);
        assert.deepEqual(
          (await world.rows()).map(({ text }) => text),
          ["new", "open"],
        );
        assert.equal(await world.store.purge(world.clock.now()), 0);
        assert.deepEqual(textsOf(await world.take(holder)), ["open", "new"]);
      }),
    );

    it(
      "takes a bounded number of rows per call",
      onQueue(async (world) => {
        const rows = Array.from({ length: 600 }, (_, index) => world.row(`row ${index}`));
        await world.store.accept({ rows, refused: [] });
        const holder = await world.runner();
        const { messages } = await world.take(holder, [], 600);
        await world.finish(
          holder,
          messages.map(({ seq }) => seq),
        );
        world.clock.pass(1);
        assert.deepEqual(
          [await world.store.purge(world.clock.now()), await world.store.purge(world.clock.now())],
          [500, 100],
        );
      }),
    );
  });
}

function clockContract(open: OpenQueue): void {
  for (const [direction, jump] of Object.entries({ forward: dayMs, back: -dayMs })) {
    describe(`a clock that jumps a day ${direction}`, () => {
      it(
        "loses, doubles and reorders nothing",
        withQueue(open)(async (world) => {
          await world.sayAll("a");
          const holder = await world.runner();
          await world.take(holder);
          world.clock.jump(jump);
          await world.sayAll("b");
          assert.deepEqual(await world.store.expireHolders(), [], "leases are monotonic");
          await world.finish(holder, [1], [{ to: "alice", text: "1" }]);
          assert.deepEqual(textsOf(await world.take(holder)), ["b"]);
          await world.finish(holder, [2], [{ to: "alice", text: "2" }]);
          await world.restart();
          world.clock.jump(-jump);
          await world.sayAll("c");
          const { lines } = await world.store.history(world.conversation.id, 10);
          assert.deepEqual(
            lines.map(({ text }) => text),
            ["a", "b", "1", "2", "c"],
          );
        }),
      );

      it(
        "keeps the length of a back-off",
        withQueue(open)(async (world) => {
          await world.sayAll("a");
          const holder = await world.runner();
          await world.take(holder);
          await world.store.fail(holder, { ...failure([1]), retryAfterMs: 30_000 });
          world.clock.jump(jump);
          assert.deepEqual(textsOf(await world.take(holder)), []);
          world.clock.pass(30_000);
          assert.deepEqual(textsOf(await world.take(holder)), ["a"]);
        }),
      );

      it(
        "does not make a message out too old",
        withQueue(open, { servedByRouter: false })(async (world) => {
          await world.say("a");
          const holder = await world.runner();
          await world.answer(holder, "answer");
          world.clock.jump(jump);
          await world.store.channelHello("default/chat", "host-0001");
          const input = { held: [], limit: 1 };
          const { deliveries } = await world.store.leaseOut("default/chat", "host-0001", input);
          const id = deliveries[0]?.id ?? "";
          await world.store.failOut("default/chat", "host-0001", id, { class: "transient", message: "503" });
          assert.equal((await world.rows({ state: "pending" })).length, 1);
        }),
      );
    });
  }
}
