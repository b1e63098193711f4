import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxContextRowsPerSession, maxOpenRowsPerSession } from "@copepod/core/limits";
import { type OpenQueue, seqsOf, textsOf, withQueue } from "./testing.ts";

export function acceptContract(open: OpenQueue): void {
  const onQueue = withQueue(open);

  describe("accept", () => {
    it(
      "writes an event once, however often it comes",
      onQueue(async (world) => {
        const first = await world.say("hello", { key: "event 1" });
        const again = await world.say("hello", { key: "event 1" });
        assert.equal(first.outcome, "accepted");
        assert.deepEqual(again, { outcome: "duplicate", id: first.outcome === "accepted" && first.id });
        assert.equal((await world.rows()).length, 1);
      }),
    );

    it(
      "knows a duplicate within one batch too",
      onQueue(async (world) => {
        const events = [world.row("a", { key: "same" }), world.row("a", { key: "same" })];
        const { outcomes } = await world.store.acceptBatch(
          events.map((row) => ({ rows: [row], refused: [] })),
          undefined,
        );
        assert.deepEqual(
          outcomes.map(([outcome]) => outcome?.outcome),
          ["accepted", "duplicate"],
        );
      }),
    );

    it(
      "numbers the rows of a session in the order in which they came",
      onQueue(async (world) => {
        const outcomes = await Promise.all(["a", "b", "c"].map((text) => world.say(text)));
        assert.deepEqual(
          outcomes.map((outcome) => outcome.outcome === "accepted" && outcome.seq),
          [1, 2, 3],
        );
      }),
    );

    it(
      "raises the epoch of a sleeping session in the same commit, once",
      onQueue(async (world) => {
        const first = await world.say("a");
        const second = await world.say("b");
        assert.deepEqual(first.outcome === "accepted" && first.wake, { kind: "woken", epoch: 1 });
        assert.deepEqual(second.outcome === "accepted" && second.wake, { kind: "awake" });
        const key = { kind: "Conversation", conversation: world.conversation.id, thread: undefined } as const;
        const wish = { session: "default/one", group: "default/group", key, wanted: true, epoch: 1 };
        assert.deepEqual(await world.store.wishes(), [wish]);
        assert.deepEqual(await world.store.wish("default/one"), wish);
      }),
    );

    it(
      "writes one row per wiring of an event",
      onQueue(async (world) => {
        const rows = [world.row("hello", { key: "k" }), world.row("hello", { key: "k", session: "default/two" })];
        const { outcomes } = await world.store.accept({ rows, refused: [] });
        assert.deepEqual(
          outcomes.map(({ outcome }) => outcome),
          ["accepted", "accepted"],
        );
        const { lines } = await world.store.history(world.conversation.id, 10);
        assert.deepEqual(
          lines.map(({ text }) => text),
          ["hello"],
        );
      }),
    );

    it(
      "moves the cursor of the channel with the events",
      onQueue(async (world) => {
        assert.deepEqual(await world.store.channelHello("default/chat", "host-0001"), { cursor: undefined });
        const event = { rows: [world.row("a")], refused: [] };
        await world.store.acceptBatch([event], { channel: "default/chat", value: "offset 7" });
        assert.deepEqual(await world.store.channelHello("default/chat", "host-0001"), { cursor: "offset 7" });
        await world.store.acceptBatch([], { channel: "default/chat", value: "offset 8" });
        assert.deepEqual(await world.store.channelHello("default/chat", "host-0002"), { cursor: "offset 8" });
      }),
    );

    it(
      "keeps a refused event as a dead row, and tells it when asked to, once",
      onQueue(async (world) => {
        const refused = {
          conversation: world.conversation.id,
          dedupeKey: "stranger 1",
          code: "senderUnknown" as const,
          reason: "I do not know you.",
          sender: "chat:eve",
          body: { text: "hi" },
          tell: { thread: undefined },
        };
        const first = await world.store.accept({ rows: [], refused: [refused] });
        assert.deepEqual(first.conversations, [world.conversation.id]);
        await world.store.accept({ rows: [], refused: [refused] });
        await world.store.accept({ rows: [], refused: [{ ...refused, dedupeKey: "stranger 2", tell: false }] });
        const dead = await world.rows({ state: "dead" });
        assert.deepEqual(
          dead.map(({ session, code, reason }) => ({ session, code, reason })),
          Array(2).fill({ session: "", code: "senderUnknown", reason: "I do not know you." }),
        );
        assert.deepEqual(await world.heard(), ["system: I do not know you."]);
      }),
    );

    it(
      "refuses what a full lane can't take, says so once, and takes again when there is room",
      onQueue(async (world) => {
        const fill = Array.from({ length: maxOpenRowsPerSession }, (_, index) => world.row(`row ${index}`));
        await world.store.accept({ rows: fill, refused: [] });
        assert.deepEqual(await world.say("too many", { key: "late" }), { outcome: "laneFull" });
        assert.deepEqual(await world.say("too many", { key: "late" }), { outcome: "laneFull" });
        assert.deepEqual(await world.say("still too many"), { outcome: "laneFull" });
        assert.equal((await world.say("row 0", { key: fill[0]?.dedupeKey ?? "" })).outcome, "duplicate");
        assert.equal((await world.rows({ state: "dead" })).length, 2);
        assert.equal((await world.heard()).length, 1);
        await world.answer(await world.runner(), "done");
        assert.equal((await world.say("now")).outcome, "accepted");
      }),
    );

    it(
      "neither wakes nor counts context, and joins it to the next batch",
      onQueue(async (world) => {
        const outcome = await world.say("by the way", { trigger: false });
        assert.deepEqual(outcome.outcome === "accepted" && outcome.wake, { kind: "none" });
        assert.deepEqual(await world.store.wishes(), []);
        assert.equal((await world.store.listSessions("default", 10))[0]?.pending, 0);
        await world.say("question");
        const taken = await world.take(await world.runner());
        assert.deepEqual(textsOf(taken), ["by the way", "question"]);
        assert.deepEqual(
          taken.messages.map(({ trigger }) => trigger),
          [false, true],
        );
      }),
    );

    it(
      "drops the oldest context above its bound",
      onQueue(async (world) => {
        for (let index = 0; index < maxContextRowsPerSession + 2; index++) {
          await world.say(`context ${index}`, { trigger: false });
        }
        const dropped = await world.rows({ state: "done" });
        assert.deepEqual(
          dropped.map(({ text, code }) => ({ text, code })),
          [
            { text: "context 1", code: "laneFull" },
            { text: "context 0", code: "laneFull" },
          ],
        );
      }),
    );

    it(
      "gives a delayed row its place and its wake only when it is due",
      onQueue(async (world) => {
        const delayed = await world.say("later", { inMs: 1_000 });
        assert.deepEqual(delayed.outcome === "accepted" && { seq: delayed.seq, wake: delayed.wake }, {
          seq: undefined,
          wake: { kind: "none" },
        });
        assert.deepEqual(await world.store.promoteDue(), { sessions: [], nextAt: world.clock.now() + 1_000 });
        await world.say("sooner");
        world.clock.pass(1_000);
        assert.deepEqual(await world.store.promoteDue(), { sessions: ["default/one"], nextAt: undefined });
        const taken = await world.take(await world.runner());
        assert.deepEqual(textsOf(taken), ["sooner", "later"]);
        assert.deepEqual(seqsOf(taken), [1, 2]);
      }),
    );

    it(
      "wakes a sleeping session for a delayed row that becomes due",
      onQueue(async (world) => {
        await world.say("later", { inMs: 1_000 });
        assert.deepEqual(await world.store.wishes(), []);
        world.clock.pass(1_000);
        await world.store.promoteDue();
        assert.equal((await world.store.wish("default/one"))?.wanted, true);
      }),
    );

    it(
      "keeps everything that was accepted when the process dies",
      onQueue(async (world) => {
        await world.sayAll("a", "b");
        await world.restart();
        await world.say("c");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["a", "b", "c"]);
      }),
    );
  });

  describe("introduce", () => {
    it(
      "finds a conversation again, with its newest name",
      onQueue(async (world) => {
        const first = world.conversation;
        const input = { ...first, name: undefined };
        assert.equal((await world.store.introduce(input, undefined)).id, first.id);
        await world.store.introduce({ ...input, name: "Alice B." }, { id: "default/chat:alice", displayName: "Alice" });
        assert.deepEqual(await world.store.conversation(first.id), { ...first, name: "Alice B." });
        assert.equal(await world.store.conversation("nothing"), undefined);
      }),
    );
  });
}
