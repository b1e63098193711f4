import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testChannelPackage } from "@copepod/adapter-kit/test-channel/adapter";
import { build, stateOf } from "./fake-world.ts";

describe("an adapter host, inbound", () => {
  it("hands events to the router with the cursor behind them", async (t) => {
    const { router, platform, host } = await build(t);
    host();
    platform.say("alice", "one");
    platform.say("bob", "two");
    await router.until(() => router.events.size === 2);
    assert.deepEqual(
      [...router.events.values()].map((event) => event.text),
      ["one", "two"],
    );
    assert.equal(router.cursor, "2");
  });

  it("repeats an accept whose answer was lost, and the router stores the event once", async (t) => {
    const { router, platform, host } = await build(t);
    router.refuse("accept", "unavailable", { after: true, times: 3 });
    host();
    platform.say("alice", "one");
    platform.say("alice", "two");
    await router.until(() => router.events.size === 2 && router.calls("accept") >= 4);
    assert.equal(router.events.size, 2);
  });

  it("loses nothing that was said while the router was away", async (t) => {
    const { router, platform, host } = await build(t);
    host();
    platform.say("alice", "before");
    await router.until(() => router.events.size === 1);
    await router.goOffline();
    for (let count = 0; count < 300; count++) platform.say("alice", `meanwhile ${count}`);
    await router.goOnline();
    await router.until(() => router.events.size === 301);
    assert.deepEqual([...router.events.values()].at(-1)?.text, "meanwhile 299");
  });

  it("leaves an event out that the router can never take, and goes on with the others", async (t) => {
    const { router, platform, host } = await build(t);
    platform.say("alice", "good");
    platform.say("alice", "bad \0");
    platform.say("alice", "good again");
    host();
    await router.until(() => router.events.size === 2 && router.cursor === "3");
  });

  it("splits a batch that is larger than a body may be", async (t) => {
    const { router, platform, host } = await build(t);
    for (let count = 0; count < 60; count++) platform.say("alice", `${count} `.padEnd(60_000, "é"));
    host();
    await router.until(() => router.events.size === 60 && router.cursor === "60");
    assert.ok(router.calls("accept") >= 3);
  });

  it("reports health when it changes, and only then", async (t) => {
    const { router, platform, host } = await build(t);
    host();
    platform.say("alice", "one");
    await router.until(() => router.health?.state === "ready");
    await platform.goOffline();
    await router.until(() => router.health?.state === "degraded");
    await platform.goOnline();
    await router.until(() => router.health?.state === "ready");
    const before = router.calls("health");
    platform.say("alice", "two");
    await router.until(() => router.events.size === 2);
    assert.equal(router.calls("health"), before);
  });
});

describe("an adapter host whose router restarts", () => {
  it("says the health again that the router forgot", async (t) => {
    const { router, host } = await build(t);
    host();
    await router.until(() => router.health?.state === "ready" && router.calls("lease") > 0);
    await router.goOffline();
    router.health = undefined;
    await router.goOnline();
    await router.until(() => router.calls("lease") > 1);
    router.setTyping([]);
    await router.until(() => router.health?.state === "ready");
  });
});

describe("an adapter host, outbound", () => {
  it("shows each conversation's messages in order, lanes beside each other", async (t) => {
    const { router, platform, host, agentTexts } = await build(t);
    platform.faults.sends({ kind: "slow", delayMs: 250 }, 1, "slow");
    const ids = ["slow", "fast", "slow", "fast"].map((chat, index) => router.queue(chat, `${chat} ${index}`));
    host();
    await router.until(() => ids.every((id) => stateOf(router, id) === "sent"));
    assert.deepEqual(agentTexts("slow"), ["slow 0", "slow 2"]);
    assert.deepEqual(agentTexts("fast"), ["fast 1", "fast 3"]);
    const lastFast = platform.log("fast").at(-1)?.at ?? Number.POSITIVE_INFINITY;
    assert.ok(lastFast <= (platform.log("slow").at(-1)?.at ?? 0), "the slow lane must not hold up the fast one");
  });

  it("works on more conversations than it has places", async (t) => {
    const { router, host } = await build(t);
    const ids = Array.from({ length: 60 }, (_, index) => router.queue(`chat-${index % 40}`, `text ${index}`));
    host();
    await router.until(() => ids.every((id) => stateOf(router, id) === "sent"));
  });

  it("passes on what a refusal means, with the time to wait", async (t) => {
    const { router, platform, host } = await build(t);
    platform.faults.sends({ kind: "status", status: 403 }, 1, "gone");
    platform.faults.sends({ kind: "status", status: 401 }, 1, "login");
    platform.faults.sends({ kind: "status", status: 429, retryAfterMs: 2_000 }, 1, "busy");
    const ids = ["gone", "login", "busy"].map((chat) => router.queue(chat, "text"));
    host();
    await router.until(() => ids.every((id) => router.rows.get(id)?.error));
    const errors = ids.map((id) => router.rows.get(id)?.error);
    assert.deepEqual(
      errors.map((error) => error?.class),
      ["permanent", "auth", "rateLimited"],
    );
    assert.equal(errors[2]?.retryAfterMs, 2_000);
  });

  for (const shown of [true, false]) {
    it(`shows a message once when the connection broke ${shown ? "after" : "before"} it was shown`, async (t) => {
      const { router, platform, host, agentTexts } = await build(t);
      platform.faults.sends({ kind: "drop", shown }, 1);
      const id = router.queue("alice", "text");
      host();
      await router.until(() => stateOf(router, id) === "sent");
      assert.deepEqual(agentTexts("alice"), ["text"]);
    });

    it(`shows a message once when the answer never came, ${shown ? "shown" : "unseen"}`, async (t) => {
      const { router, platform, host, agentTexts } = await build(t);
      platform.faults.sends({ kind: "hang", shown }, 1);
      const id = router.queue("alice", "text");
      host();
      await router.until(() => stateOf(router, id) === "sent");
      assert.deepEqual(agentTexts("alice"), ["text"]);
    });
  }

  it("parks a message with an unknown outcome where there is no history", async (t) => {
    const adapterPackage = testChannelPackage({ history: false });
    const { router, platform, host } = await build(t, { adapterPackage });
    platform.faults.sends({ kind: "drop", shown: true }, 1);
    const id = router.queue("alice", "text");
    const next = router.queue("alice", "next");
    host();
    await router.until(() => stateOf(router, next) === "sent");
    assert.equal(router.rows.get(id)?.error?.class, "unknown");
    assert.equal(platform.sendCount(), 2, "it must not be repeated");
  });

  it("repeats an unknown outcome under the same key where the platform drops repeats", async (t) => {
    const adapterPackage = testChannelPackage({ history: false, idempotentSend: "native" });
    const { router, platform, host, agentTexts } = await build(t, { adapterPackage, idempotentSends: true });
    platform.faults.sends({ kind: "drop", shown: true }, 1);
    const id = router.queue("alice", "text");
    host();
    await router.until(() => stateOf(router, id) === "sent");
    assert.deepEqual(agentTexts("alice"), ["text"]);
    assert.equal(platform.sendCount(), 2);
  });

  it("waits for a platform that is away before it decides about an uncertain delivery", async (t) => {
    const { router, platform, host, agentTexts } = await build(t);
    const id = router.queue("alice", "text");
    const row = router.rows.get(id);
    if (row) row.uncertain = true;
    await platform.goOffline();
    host();
    await router.until(() => router.health?.state === "degraded" && stateOf(router, id) === "leased");
    await platform.goOnline();
    await router.until(() => stateOf(router, id) === "sent");
    assert.deepEqual(agentTexts("alice"), ["text"]);
  });

  it("says an outcome until the router heard it", async (t) => {
    const { router, host, agentTexts } = await build(t);
    router.refuse("complete", "unavailable", { times: 3 });
    const id = router.queue("alice", "text");
    host();
    await router.until(() => stateOf(router, id) === "sent");
    assert.deepEqual(agentTexts("alice"), ["text"]);
  });

  it("gets deliveries again, as certain ones, when the answer of a lease was lost", async (t) => {
    const { router, platform, host, agentTexts } = await build(t, { historyReadable: false });
    router.refuse("lease", "unavailable", { after: true });
    const id = router.queue("alice", "text");
    host();
    await router.until(() => stateOf(router, id) === "sent");
    assert.deepEqual(agentTexts("alice"), ["text"]);
    assert.equal(platform.sendCount(), 1);
  });

  it("shows typing where the agent is at work", async (t) => {
    const { router, platform, host } = await build(t);
    router.setTyping(["alice"]);
    host();
    await platform.until(() => platform.typingCount("alice") === 1, AbortSignal.timeout(5_000));
    assert.equal(platform.typingCount("bob"), 0);
  });
});

describe("the life of an adapter host", () => {
  it("finishes a running send before it ends", async (t) => {
    const { router, platform, host } = await build(t);
    platform.faults.sends({ kind: "slow", delayMs: 200 }, 1);
    const id = router.queue("alice", "text");
    const running = host();
    await platform.until(() => platform.sendCount() === 1, AbortSignal.timeout(5_000));
    assert.equal(await running.stop(), "stopped");
    assert.equal(stateOf(router, id), "sent");
  });

  it("ends when another instance has the channel", async (t) => {
    const { router, platform, host } = await build(t);
    const first = host("instance-1");
    await router.until(() => router.calls("lease") > 0);
    host("instance-2");
    platform.say("alice", "one");
    assert.equal(await first.ended, "superseded");
    await router.until(() => router.events.size === 1);
  });

  it("waits for a router that is not there yet", async (t) => {
    const { router, host, platform } = await build(t);
    await router.goOffline();
    host();
    platform.say("alice", "one");
    await router.goOnline();
    await router.until(() => router.events.size === 1);
  });

  it("fails with a sentence in the channel's health when its config is wrong", async (t) => {
    const { router, host } = await build(t, { config: { port: 1 } });
    assert.equal(await host().ended, "failed");
    assert.equal(router.health?.state, "stopped");
    assert.match(router.health?.detail ?? "", /socket/);
  });
});
