import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type OpenQueue, type QueueWorld, rejectsWith, textsOf, withQueue } from "./testing.ts";

const graceMs = 120_000;

export function sessionsContract(open: OpenQueue): void {
  const onQueue = withQueue(open);
  admissionContract(open);

  describe("sleep", () => {
    it(
      "comes only when nothing is pending, leased or due soon",
      onQueue(async (world) => {
        await world.say("a");
        const sleep = async () => {
          world.clock.pass(1_000);
          return await world.store.sleepIfIdle("default/one", world.clock.now(), graceMs);
        };
        assert.equal(await sleep(), false, "pending");
        const holder = await world.runner();
        await world.take(holder);
        assert.equal(await sleep(), false, "leased");
        await world.finish(holder, [1]);
        await world.say("later", { inMs: graceMs + 10_000, session: "default/one" });
        assert.equal(await world.store.sleepIfIdle("default/one", world.clock.now(), graceMs), false, "just active");
        assert.equal(await sleep(), true);
        assert.equal(await sleep(), false, "asleep already");
        assert.equal((await world.store.wish("default/one"))?.wanted, false);
      }),
    );

    it(
      "waits for a row that is due within the grace time",
      onQueue(async (world) => {
        await world.say("a");
        await world.answer(await world.runner(), "ok");
        await world.say("soon", { inMs: graceMs - 1 });
        world.clock.pass(1_000);
        assert.equal(await world.store.sleepIfIdle("default/one", world.clock.now(), graceMs), false);
      }),
    );

    it(
      "is not kept off by context, which waits for the next wake",
      onQueue(async (world) => {
        await world.say("a");
        await world.say("context", { trigger: false });
        const holder = await world.runner();
        await world.take(holder);
        await world.finish(holder, [1]);
        assert.equal(await sleepNow(world), true);
        await world.say("b");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["context", "b"]);
      }),
    );

    it(
      "makes the next message raise the epoch, which fences the runner that was there",
      onQueue(async (world) => {
        await world.say("a");
        const old = await world.runner();
        await world.answer(old, "ok");
        assert.equal(await sleepNow(world), true);
        assert.equal((await world.take(old)).draining, true, "nothing new after the decision");
        const outcome = await world.say("b");
        assert.deepEqual(outcome.outcome === "accepted" && outcome.wake, { kind: "woken", epoch: 2 });
        await rejectsWith(world.take(old), "superseded");
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["b"]);
      }),
    );

    it(
      "is a wish until the starter has taken it",
      onQueue(async (world) => {
        await world.say("a");
        await world.answer(await world.runner(), "ok");
        await sleepNow(world);
        const key = { kind: "Conversation", conversation: world.conversation.id, thread: undefined } as const;
        const wish = { session: "default/one", group: "default/group", key, wanted: false, epoch: 1 };
        assert.deepEqual(await world.store.wishes(), [wish]);
        await world.store.settle({ ...wish, epoch: 0 });
        assert.deepEqual(await world.store.wishes(), [wish], "an older word settles nothing");
        await world.store.settle(wish);
        assert.deepEqual(await world.store.wishes(), []);
      }),
    );

    it(
      "finds its candidates by their last activity, the longest idle first",
      onQueue(async (world) => {
        for (const session of ["default/b", "default/a"]) {
          await world.say("x", { session });
          await world.answer(await world.runner(session), "ok");
          world.clock.pass(1_000);
        }
        const candidates = (before: number) => world.store.idleCandidates("default/group", before, 10);
        assert.deepEqual(await candidates(world.clock.now()), ["default/b", "default/a"]);
        assert.deepEqual(await candidates(world.clock.now() - 1_000), ["default/b"]);
        assert.deepEqual(await world.store.idleCandidates("default/other", world.clock.now(), 10), []);
      }),
    );
  });

  describe("a pod with a greater epoch", () => {
    it(
      "raises the epoch of the row: a restored backup must not go back",
      onQueue(async (world) => {
        await world.say("a");
        const holder = { session: "default/one", epoch: 7, podUid: "pod", instance: "instance-x" };
        await rejectsWith(world.store.hello(holder), "podUnknown");
        assert.equal(await world.store.observePod(holder), true);
        await world.store.hello(holder);
        assert.deepEqual(textsOf(await world.take(holder)), ["a"]);
        assert.equal(await world.store.observePod({ ...holder, epoch: 6 }), false);
        assert.equal(await world.store.observePod({ ...holder, session: "default/nobody" }), false);
      }),
    );
  });
}

function admissionContract(open: OpenQueue): void {
  const onQueue = withQueue(open);

  describe("admission", () => {
    it(
      "puts sessions in line above `maxRunning`, and wakes the first when there is room",
      onQueue(async (world) => {
        await world.say("1", { session: "default/a", maxRunning: 1 });
        const wakes = [];
        for (const session of ["default/b", "default/c", "default/b"]) {
          const outcome = await world.say("2", { session, maxRunning: 1 });
          wakes.push(outcome.outcome === "accepted" && outcome.wake);
        }
        assert.deepEqual(wakes, [
          { kind: "waiting", place: 1, first: true },
          { kind: "waiting", place: 2, first: true },
          { kind: "waiting", place: 1, first: false },
        ]);
        assert.deepEqual(await world.heard(), [
          "system: All 1 sessions that this agent may run are busy. Your message waits; you are number 1 in line.",
          "system: All 1 sessions that this agent may run are busy. Your message waits; you are number 2 in line.",
        ]);
        assert.deepEqual(await world.store.activeGroups(), ["default/group"]);
        assert.deepEqual(await world.store.admit("default/group", 1), []);
        await world.answer(await world.runner("default/a"), "ok");
        assert.equal(await sleepNow(world, "default/a"), true);
        assert.deepEqual(await world.store.admit("default/group", 1), ["default/b"]);
        assert.deepEqual(await world.store.admit("default/group", 2), ["default/c"]);
        assert.deepEqual(await world.store.wish("default/c"), {
          session: "default/c",
          group: "default/group",
          key: { kind: "Conversation", conversation: world.conversation.id, thread: undefined },
          wanted: true,
          epoch: 1,
        });
      }),
    );

    it(
      "counts each group for itself",
      onQueue(async (world) => {
        await world.say("1", { session: "default/a", maxRunning: 1 });
        const other = await world.say("2", { session: "default/b", group: "default/other", maxRunning: 1 });
        assert.deepEqual(other.outcome === "accepted" && other.wake.kind, "woken");
      }),
    );
  });

  describe("a start that fails", () => {
    it(
      "makes the session wait for the retry, is told once for each reason, and is over with a hello",
      onQueue(async (world) => {
        await world.say("a");
        const first = await world.store.startFailed("default/one", 1, "No room.");
        assert.ok(first.retryAt > world.clock.now());
        assert.deepEqual(first.conversations, [world.conversation.id]);
        const repeated = await world.store.startFailed("default/one", 1, "No room.");
        assert.equal(repeated.retryAt, first.retryAt, "a repeated report changes nothing");
        const [row] = await world.store.listSessions("default", 1);
        assert.deepEqual([row?.phase, row?.reason], ["Failed", "No room."]);
        const outcome = await world.say("b");
        assert.deepEqual(outcome.outcome === "accepted" && outcome.wake, { kind: "waiting", place: 1, first: false });
        assert.deepEqual(await world.store.admit("default/group", 10), []);

        world.clock.pass(first.retryAt - world.clock.now());
        assert.deepEqual(await world.store.admit("default/group", 10), ["default/one"]);
        const second = await world.store.startFailed("default/one", 2, "No room.");
        assert.ok(second.retryAt - world.clock.now() > 60_000 - 1, "the back-off grows");
        assert.deepEqual(await world.heard(), [
          "system: The agent could not be started, so your message waits. No room.",
        ]);

        world.clock.pass(second.retryAt - world.clock.now());
        await world.store.admit("default/group", 10);
        const third = await world.store.startFailed("default/one", 3, "No such image.");
        assert.deepEqual((await world.heard()).slice(1), [
          "system: The agent could not be started, so your message waits. No such image.",
        ]);

        world.clock.pass(third.retryAt - world.clock.now());
        await world.store.admit("default/group", 10);
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["a", "b"]);
        assert.equal((await world.store.listSessions("default", 1))[0]?.phase, "Awake");
      }),
    );

    it(
      "is tried again at once when its group has changed for the better",
      onQueue(async (world) => {
        await world.say("a");
        await world.store.startFailed("default/one", 1, "No such group.");
        await world.store.endBackOff("default/other");
        assert.deepEqual(await world.store.admit("default/group", 10), []);
        await world.store.endBackOff("default/group");
        assert.deepEqual(await world.store.admit("default/group", 10), ["default/one"]);
      }),
    );

    it(
      "of an older epoch means nothing",
      onQueue(async (world) => {
        await world.say("a");
        await world.store.startFailed("default/one", 0, "Late news.");
        assert.equal((await world.store.wish("default/one"))?.wanted, true);
        assert.deepEqual(await world.heard(), []);
      }),
    );

    it(
      "releases what the pod held",
      onQueue(async (world) => {
        await world.say("a");
        const holder = await world.runner();
        await world.take(holder);
        const { retryAt } = await world.store.startFailed("default/one", 1, "Crashed five times.");
        await rejectsWith(world.take(holder), "superseded");
        world.clock.pass(retryAt - world.clock.now());
        await world.store.admit("default/group", 10);
        assert.deepEqual(textsOf(await world.take(await world.runner())), ["a"]);
      }),
    );
  });
}

async function sleepNow(world: QueueWorld, session = "default/one"): Promise<boolean> {
  world.clock.pass(1_000);
  return await world.store.sleepIfIdle(session, world.clock.now(), graceMs);
}
