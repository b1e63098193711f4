import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import type { UsageQuery } from "../queue-store.ts";
import { failure, type OpenQueue, type QueueWorld, rejectsWith, withQueue } from "./testing.ts";

const dayMs = 24 * 60 * 60_000;

const entry = (id: string, more: Partial<UsageEntry> = {}): UsageEntry => ({
  id: `request-${id}`,
  credential: "anthropic",
  model: "claude",
  status: 200,
  inputTokens: 100,
  outputTokens: 10,
  cacheReadTokens: 5,
  cacheWriteTokens: 1,
  costMicros: 1_000,
  durationMs: 50,
  ...more,
});

const sum = async (world: QueueWorld, by: UsageQuery["by"], since = 0) =>
  await world.store.usage({ namespace: "default", by, since });

const keysOf = async (world: QueueWorld, by: UsageQuery["by"]) =>
  (await sum(world, by)).map(({ key, requests }) => `${key}: ${requests}`);

export function usageContract(open: OpenQueue): void {
  const onQueue = withQueue(open);

  describe("usage", () => {
    it(
      "is counted once, however often it is reported",
      onQueue(async (world) => {
        await world.say("a");
        const entries = [entry("1"), entry("2", { costMicros: undefined })];
        assert.deepEqual(await world.store.recordUsage("default/one", entries), ["request-1", "request-2"]);
        const again = [...entries, entry("3", { status: 529, inputTokens: 0, outputTokens: 0, costMicros: undefined })];
        assert.deepEqual(await world.store.recordUsage("default/one", again), ["request-3"]);
        assert.deepEqual(await sum(world, "group"), [
          {
            key: "default/group",
            requests: 3,
            failed: 1,
            inputTokens: 200,
            outputTokens: 20,
            cacheReadTokens: 15,
            cacheWriteTokens: 3,
            costMicros: 1_000,
            unpriced: 1,
          },
        ]);
      }),
    );

    it(
      "is that of the person on whose message the session works, or worked last",
      onQueue(async (world) => {
        await world.say("a");
        await world.store.recordUsage("default/one", [entry("before")]);
        const holder = await world.runner();
        await world.take(holder);
        const bob = await world.meet("bob");
        await world.say("b", { conversation: bob });
        await world.store.recordUsage("default/one", [entry("running")]);
        await world.finish(holder, [1]);
        await world.store.recordUsage("default/one", [entry("just after")]);
        await world.take(holder);
        await world.store.recordUsage("default/one", [entry("of bob")]);
        await world.store.fail(holder, failure([2]));
        await world.store.recordUsage("default/one", [entry("failed once")]);
        world.clock.pass(dayMs);
        await world.take(holder);
        await world.store.fail(holder, { ...failure([2]), class: "permanent" });
        await world.store.recordUsage("default/one", [entry("failed for good")]);
        assert.deepEqual((await keysOf(world, "user")).sort(), [": 1", "chat:alice: 2", "chat:bob: 3"]);
      }),
    );

    it(
      "is summed by session, model and credential, the dearest first, within a namespace",
      onQueue(async (world) => {
        await world.say("a");
        await world.say("b", { session: "default/two" });
        await world.say("c", { session: "other/one", group: "other/group" });
        await world.store.recordUsage("default/one", [entry("1"), entry("2", { model: "cheap", costMicros: 1 })]);
        await world.store.recordUsage("default/two", [entry("1", { credential: "openai", costMicros: 9_000 })]);
        await world.store.recordUsage("other/one", [entry("1")]);
        assert.deepEqual(await keysOf(world, "session"), ["default/two: 1", "default/one: 2"]);
        assert.deepEqual(await keysOf(world, "model"), ["claude: 2", "cheap: 1"]);
        assert.deepEqual(await keysOf(world, "credential"), ["openai: 1", "anthropic: 2"]);
      }),
    );

    it(
      "is summed from a time on, and purged with the rows of its time",
      onQueue(async (world) => {
        await world.say("a");
        await world.store.recordUsage("default/one", [entry("old")]);
        world.clock.pass(1_000);
        const later = world.clock.now();
        await world.store.recordUsage("default/one", [entry("new")]);
        assert.equal((await sum(world, "group", later))[0]?.requests, 1);
        assert.equal(await world.store.purge(later), 1);
        assert.equal((await sum(world, "group"))[0]?.requests, 1);
      }),
    );

    it(
      "of a session that does not exist is refused",
      onQueue(async (world) => {
        await rejectsWith(world.store.recordUsage("default/nobody", [entry("1")]), "notFound");
        assert.deepEqual(await sum(world, "group"), []);
      }),
    );
  });
}
