import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cacheSynced, healthOf, notStopping } from "./health.ts";

describe("health", () => {
  it("is good when no check has failed", () => {
    assert.deepEqual(healthOf([{ name: "a", look: () => undefined }]), { ok: true, failed: [] });
  });

  it("names each check that has failed, and why, also one that throws", () => {
    const checks = [
      { name: "a", look: () => "It is broken." },
      { name: "b", look: () => undefined },
      {
        name: "c",
        look: (): string => {
          throw new Error("nonsense");
        },
      },
    ];
    assert.deepEqual(healthOf(checks), {
      ok: false,
      failed: [
        { name: "a", why: "It is broken." },
        { name: "c", why: "The check itself failed: nonsense" },
      ],
    });
  });

  it("is bad while a cache is incomplete, and from the moment of the stop", () => {
    const stop = new AbortController();
    const cache = { synced: false };
    const checks = [notStopping(stop.signal), cacheSynced("things", cache)];
    assert.deepEqual(
      healthOf(checks).failed.map(({ name }) => name),
      ["things"],
    );
    cache.synced = true;
    assert.ok(healthOf(checks).ok);
    stop.abort();
    assert.deepEqual(
      healthOf(checks).failed.map(({ name }) => name),
      ["stopping"],
    );
  });
});
