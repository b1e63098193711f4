import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { healthOf, readinessChecks } from "./health.ts";

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

  it("is bad while a cache can't be relied on, and from the moment of the stop", () => {
    const stop = new AbortController();
    let problem: string | undefined = "the first list of things is not complete";
    const checks = readinessChecks(stop.signal, { problem: () => problem });
    assert.deepEqual(healthOf(checks).failed, [{ name: "caches", why: problem }]);
    problem = undefined;
    assert.ok(healthOf(checks).ok);
    stop.abort();
    assert.deepEqual(
      healthOf(checks).failed.map(({ name }) => name),
      ["stopping"],
    );
  });
});
