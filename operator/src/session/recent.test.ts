import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Session } from "@copepod/crds/session";
import { TestClock } from "@copepod/kube/testing/clock";
import type { Seen } from "../seen.ts";
import { behindMs, expectMs } from "./limits.ts";
import { type PodSeen, seePod } from "./pod-seen.ts";
import { RecentWrites } from "./recent.ts";

const key = "agents/helper-1";
const pod = (uid: string, resourceVersion = "1"): PodSeen =>
  seePod({ metadata: { namespace: "agents", name: "helper-1-5", uid, resourceVersion } });
const session = (resourceVersion: string, phase: string): Seen<Session> => ({
  ...{ apiVersion: "copepod.dev/v1alpha1", kind: "Session", resource: undefined, problem: undefined },
  metadata: { namespace: "agents", name: "helper-1", resourceVersion },
  status: { phase },
});
const make = () => {
  const clock = new TestClock();
  return { clock, recent: new RecentWrites(clock) };
};

describe("what a leader has just written", () => {
  it("counts until the cache shows it, or something later", () => {
    const { recent } = make();
    recent.wrote(session("1", "Asleep"), session("2", "Waking"));
    assert.equal(recent.latest(session("1", "Asleep")).status.phase, "Waking");
    assert.equal(recent.latest(session("3", "Failed")).status.phase, "Failed");
    assert.equal(recent.latest(session("1", "Asleep")).status.phase, "Asleep", "it is forgotten");
  });

  it("includes a pod that the cache does not show yet, once", () => {
    const { recent } = make();
    recent.made(key, pod("a"));
    assert.equal(recent.pods(key, []).length, 1);
    assert.equal(recent.pods(key, [pod("a", "2")]).length, 1);
    assert.equal(recent.pods(key, []).length, 0, "it was shown, and is gone");
  });

  it("forgets a pod of which an event came", () => {
    const { recent } = make();
    recent.made(key, pod("a"));
    recent.podChanged(pod("other"), key);
    assert.ok(recent.awaits(key));
    recent.podChanged(pod("a"), key);
    assert.deepEqual(recent.pods(key, []), []);
  });

  it("doubts a pod that should have been shown by now", () => {
    const { recent, clock } = make();
    recent.made(key, pod("a"));
    assert.equal(recent.overdue(key), undefined);
    assert.equal(recent.unseen, 1);
    clock.pass(expectMs + 1);
    assert.equal(recent.overdue(key)?.metadata.uid, "a");
    assert.equal(recent.unseen, 0, "nor does it take a place any more");
  });

  it("takes a pod that was asked to end for one that ends, until it changes", () => {
    const { recent } = make();
    recent.ended(pod("a"));
    assert.ok(recent.pods(key, [pod("a")])[0]?.deletedAt);
    assert.equal(recent.pods(key, [pod("a", "2")])[0]?.deletedAt, undefined);
  });

  it("does not keep what was answered after the watch had told of the end", () => {
    const { recent, clock } = make();
    recent.podChanged(pod("a"), key);
    recent.ended(pod("a"));
    recent.forgetSession(key);
    recent.wrote(session("1", "Asleep"), session("2", "Waking"));
    clock.pass(behindMs + 1);
    recent.ended(pod("b"));
    recent.wrote({ ...session("1", "Asleep"), metadata: { name: "other" } }, session("2", "Waking"));
    assert.equal(recent.pods(key, [pod("a")])[0]?.deletedAt, undefined);
    assert.equal(recent.latest(session("1", "Asleep")).status.phase, "Asleep");
  });

  it("is not younger or older by a clock that was set", () => {
    const { recent, clock } = make();
    assert.equal(recent.ageOf(pod("a")), 0);
    clock.jumpWall(600_000);
    clock.pass(1_000);
    assert.equal(recent.ageOf(pod("a", "2")), 1_000);
    recent.podGone(pod("a"));
    assert.equal(recent.ageOf(pod("a")), 0);
  });
});
