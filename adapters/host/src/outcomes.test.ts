import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AdapterPackage, SendResult } from "@copepod/adapter-kit/adapter";
import { testChannelPackage } from "@copepod/adapter-kit/test-channel/adapter";
import { maxNameLength, maxRetryAfterMs } from "@copepod/core/limits";
import { build, stateOf } from "./fake-world.ts";

const strangeIds: readonly (readonly [what: string, id: string, said: RegExp])[] = [
  ["empty", "", /^unknown$/],
  ["too long", "x".repeat(maxNameLength + 1), /^sha256:[0-9a-f]{64}$/],
  ["not printable", "a\u0007b", /^sha256:[0-9a-f]{64}$/],
  ["as long as it may be", "x".repeat(maxNameLength), /^x+$/],
];

const boundedFailure = { failure: "permanent", length: 2_000, retryAfterMs: maxRetryAfterMs };

describe("an outcome that the router can't take as it is", () => {
  for (const [what, id, said] of strangeIds) {
    it(`sends once when the platform's message id is ${what}`, async (t) => {
      const sends = [] as string[];
      const { router, host } = await build(t, { adapterPackage: sending(sends, { ok: true, platformMessageId: id }) });
      const row = router.queue("alice", "text");
      host();
      await router.until(() => stateOf(router, row) === "sent");
      assert.match(router.rows.get(row)?.platformMessageId ?? "", said);
      assert.deepEqual(sends, [row]);
    });
  }

  it("says a failure within the bounds of what the router takes", async (t) => {
    const sends = [] as string[];
    const error = { class: "permanent", message: "x".repeat(5_000), retryAfterMs: Number.POSITIVE_INFINITY } as const;
    const { router, host } = await build(t, { adapterPackage: sending(sends, { ok: false, error }) });
    const row = router.queue("alice", "text");
    host();
    await router.until(() => stateOf(router, row) === "failed");
    const { class: failure, message, retryAfterMs } = router.rows.get(row)?.error ?? {};
    assert.deepEqual({ failure, length: message?.length, retryAfterMs }, boundedFailure);
    assert.deepEqual(sends, [row]);
  });

  for (const code of ["invalid", "conflict", "notFound", "tooLarge"] as const) {
    it(`parks a message whose outcome the router refuses as ${code}, and does not send it again`, async (t) => {
      const { router, platform, host } = await build(t);
      router.refuse("complete", code);
      const id = router.queue("alice", "text");
      const next = router.queue("alice", "next");
      host();
      await router.until(() => stateOf(router, next) === "sent");
      assert.equal(router.rows.get(id)?.error?.class, "unknown");
      assert.equal(platform.sendCount(), 2, "it must not be repeated");
    });
  }

  it("keeps a message for itself when the router takes no outcome of it at all", async (t) => {
    const { router, platform, host } = await build(t);
    router.refuse("complete", "conflict");
    router.refuse("fail", "conflict");
    const id = router.queue("alice", "text");
    host();
    await router.until(() => router.calls("fail") === 1);
    for (const chat of ["bob", "carol", "dave"]) {
      const other = router.queue(chat, "text");
      await router.until(() => stateOf(router, other) === "sent");
    }
    assert.equal(stateOf(router, id), "leased");
    assert.equal(platform.sendCount(), 4, "it must not be repeated");
  });

  it("parks a message when the adapter's outcome is none", async (t) => {
    const sends = [] as string[];
    const { router, host } = await build(t, { adapterPackage: sending(sends, JSON.parse("null")) });
    const row = router.queue("alice", "text");
    host();
    await router.until(() => stateOf(router, row) === "failed");
    assert.equal(router.rows.get(row)?.error?.class, "unknown");
    assert.deepEqual(sends, [row]);
  });
});

/** The test adapter, but each send has the same result. */
function sending(sends: string[], result: SendResult): AdapterPackage {
  const whole = testChannelPackage({ history: false });
  return {
    ...whole,
    create: (context) => ({
      ...whole.create(context),
      async send({ id }) {
        sends.push(id);
        return result;
      },
    }),
  };
}
