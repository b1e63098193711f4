import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type OpenQueue, type QueueWorld, rejectsWith, textsOf, withQueue } from "./testing.ts";

const session = "default/one";
const nobody = { groups: [], sessions: [] };

/** What the starter reports of pods, and what people pause. */
export function starterContract(open: OpenQueue): void {
  const onQueue = withQueue(open);
  const row = async ({ store }: QueueWorld) => await store.session(session);

  describe("a greater epoch that the starter has heard of", () => {
    it(
      "is followed, and fences who holds the session",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.raiseEpoch(session, 7);
        assert.equal((await world.store.wish(session))?.epoch, 7);
        await rejectsWith(world.take(holder), "superseded");
        await world.store.raiseEpoch(session, 6);
        await world.store.raiseEpoch("default/nobody", 6);
        assert.equal((await world.store.wish(session))?.epoch, 7, "it never goes back");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["a"]);
      }),
    );

    it(
      "of a session that sleeps is told to the starter again",
      onQueue(async (world) => {
        await world.say("a");
        await world.answer(await world.runner(), "ok");
        world.clock.pass(1_000);
        await world.store.sleepIfIdle(session, world.clock.now(), 0);
        const asleep = await world.store.wish(session);
        assert.ok(asleep);
        await world.store.settle(asleep);
        await world.store.raiseEpoch(session, 7);
        assert.deepEqual(await world.store.wishes(), [{ ...asleep, epoch: 7 }]);
      }),
    );
  });

  describe("a hindrance", () => {
    it(
      "is told once per epoch, shown as the reason, and over with a hello",
      onQueue(async (world) => {
        await world.say("a");
        for (const reason of ["The node is full.", "The image is pulled."]) {
          await world.store.hindered(session, 1, reason);
          assert.equal((await row(world))?.reason, reason);
        }
        assert.deepEqual(await world.heard(), [
          "system: The agent can't start yet, so your message waits. The node is full.",
        ]);
        assert.equal((await world.store.wish(session))?.wanted, true);
        await world.runner();
        assert.equal((await row(world))?.reason, undefined);
      }),
    );

    it(
      "of another epoch, or of a session that runs, means nothing",
      onQueue(async (world) => {
        await world.say("a");
        await world.store.hindered(session, 2, "Early news.");
        await world.runner();
        await world.store.hindered(session, 1, "Late news.");
        assert.deepEqual([(await row(world))?.reason, await world.heard()], [undefined, []]);
      }),
    );
  });

  describe("a drain that is asked for", () => {
    it(
      "lets the turn end, leases nothing new, and lets the next pod answer what came meanwhile",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        assert.equal(await world.store.requestDrain(session, 1), true);
        assert.equal(await world.store.requestDrain(session, 1), false, "asked for already");
        assert.equal(await world.store.requestDrain(session, 2), false, "not this epoch");
        await world.say("b");
        const taken = await world.take(holder, [1]);
        assert.deepEqual([taken.draining, textsOf(taken)], [true, []]);
        assert.deepEqual((await world.store.replaceDrained()).sessions, [], "a turn runs");
        await world.finish(holder, [1]);
        assert.deepEqual((await world.store.replaceDrained()).sessions, [session]);
        const wish = await world.store.wish(session);
        assert.deepEqual([wish?.wanted, wish?.epoch], [true, 2]);
        await rejectsWith(world.take(holder), "superseded");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["b"]);
        assert.deepEqual((await world.store.replaceDrained()).sessions, [], "the new pod stays");
      }),
    );

    it(
      "puts a session without work to sleep",
      onQueue(async (world) => {
        await world.say("a");
        await world.answer(await world.runner(), "ok");
        await world.store.requestDrain(session, 1);
        await world.store.replaceDrained();
        const wish = await world.store.wish(session);
        assert.deepEqual([wish?.wanted, wish?.epoch], [false, 1]);
      }),
    );

    it(
      "is not undone by a pod that says it ends, but by one that takes its place",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        await world.store.requestDrain(session, 1);
        await world.store.drain(session, 1, holder.podUid);
        await world.finish(holder, [1]);
        assert.deepEqual((await world.store.replaceDrained()).sessions, [session]);
        await world.say("b");
        const next = await world.runner();
        await world.store.requestDrain(session, next.epoch);
        await world.store.observePod({ ...next, podUid: "remade" });
        assert.deepEqual((await world.store.replaceDrained()).sessions, []);
      }),
    );
  });

  for (const paused of [
    { ...nobody, groups: ["default/group"] },
    { ...nobody, sessions: [session] },
  ]) {
    const what = paused.groups.length > 0 ? "a paused group" : "a paused session";
    const sentence = "system: This agent is paused. Your message waits, and is answered when somebody resumes it.";
    const place = { kind: "waiting", place: 1 };

    describe(what, () => {
      it(
        "does not wake for messages, says so once, and goes on when it is resumed",
        onQueue(async (world) => {
          assert.deepEqual(await world.store.setPaused(paused), []);
          const wakes = [await world.say("a"), await world.say("b")].map(
            (outcome) => "wake" in outcome && outcome.wake,
          );
          assert.deepEqual(wakes, [
            { ...place, first: true },
            { ...place, first: false },
          ]);
          assert.deepEqual(await world.heard(), [sentence]);
          assert.deepEqual(await world.store.admit("default/group", 10), []);
          assert.equal((await row(world))?.reason, "Paused by a person.");
          await world.store.setPaused(nobody);
          assert.deepEqual(await world.store.admit("default/group", 10), [session]);
          assert.deepEqual(textsOf(await world.take(await world.runner())), ["a", "b"]);
        }),
      );

      it(
        "does not wake for what becomes due either",
        onQueue(async (world) => {
          await world.say("later", { inMs: 1_000 });
          await world.store.setPaused(paused);
          world.clock.pass(1_000);
          await world.store.promoteDue();
          assert.equal((await world.store.wish(session))?.wanted, false);
        }),
      );

      it(
        "lets its turn end, then sleeps, and tells who waits",
        onQueue(async (world) => {
          await world.say("a");
          const holder = await world.runner();
          await world.take(holder);
          assert.deepEqual(await world.store.setPaused(paused), [session]);
          await world.say("b");
          assert.deepEqual((await world.store.replaceDrained()).sessions, []);
          await world.finish(holder, [1]);
          assert.deepEqual((await world.store.replaceDrained()).sessions, [session]);
          assert.equal((await world.store.wish(session))?.wanted, false);
          assert.deepEqual(await world.heard(), [sentence]);
        }),
      );

      it(
        "holds nobody else up, and stays paused over a restart",
        onQueue(async (world) => {
          await world.store.setPaused(paused);
          await world.say("a");
          await world.restart();
          assert.deepEqual(await world.store.admit("default/group", 1), []);
          const other = await world.say("b", { session: "default/other", group: "default/other" });
          assert.ok("wake" in other && other.wake.kind === "woken");
        }),
      );
    });
  }
}
