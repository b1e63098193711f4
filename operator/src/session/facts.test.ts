import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { factsOf, type PodFacts } from "./facts.ts";
import { seePod } from "./pod-seen.ts";

const metadata = { name: "helper-1-5", namespace: "agents", uid: "u", creationTimestamp: "2030-01-01T00:00:00Z" };
const factsWith = (status: object, more: object = {}): PodFacts =>
  factsOf(seePod({ metadata: { ...metadata, ...more }, spec: {}, status }));
const containers = (agent: object) => ({
  phase: "Running",
  containerStatuses: [
    { name: "credential-proxy", ready: true, restartCount: 0, state: { running: {} } },
    { name: "agent", ready: false, restartCount: 0, state: {}, ...agent },
  ],
});
const waiting = (reason: string) => containers({ state: { waiting: { reason, message: "said the kubelet" } } });

describe("what a pod's status says", () => {
  it("is ready when all containers are, and not before there are any", () => {
    assert.equal(factsWith({ phase: "Pending" }).isReady, false);
    assert.equal(factsWith(containers({})).isReady, false);
    assert.equal(factsWith(containers({ ready: true })).isReady, true);
  });

  it("tells a crash loop from a container that was restarted long ago", () => {
    assert.equal(factsWith(containers({ restartCount: 5 })).crashes?.reason, "CrashLoop");
    assert.equal(factsWith(containers({ restartCount: 4 })).crashes, undefined);
    assert.equal(factsWith(containers({ restartCount: 5, ready: true })).crashes, undefined);
  });

  for (const [reason, isFinal] of [
    ["ErrImagePull", false],
    ["ImagePullBackOff", false],
    ["InvalidImageName", true],
    ["ErrImageNeverPull", true],
  ] as const) {
    it(`names an image that can't be had (${reason}) in the same words each time`, () => {
      const { image } = factsWith(waiting(reason));
      assert.deepEqual([image?.reason, image?.isFinal], ["ImageMissing", isFinal]);
      assert.equal(image?.message, factsWith(waiting("ErrImagePull")).image?.message);
    });
  }

  for (const [message, reason] of [
    ["0/1 nodes are available: 1 Insufficient cpu.", "NodeFull"],
    ["0/1 nodes are available: 1 Too many pods.", "NodeFull"],
    ["0/1 nodes are available: 1 node(s) didn't match pod affinity rules.", "Unschedulable"],
  ] as const) {
    it(`gives the scheduler's sentence for ${reason}: ${message}`, () => {
      const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
      assert.deepEqual(factsWith({ phase: "Pending", conditions }).delay, { reason, message });
    });
  }

  it("says what a container could not be made of", () => {
    assert.deepEqual(factsWith(waiting("CreateContainerConfigError")).delay, {
      reason: "ContainerRefused",
      message: "CreateContainerConfigError: said the kubelet",
    });
    assert.equal(factsWith(waiting("ContainerCreating")).delay, undefined);
  });

  it("names the end of a pod by a word", () => {
    assert.equal(factsWith({ phase: "Failed", reason: "Evicted" }).ended?.reason, "Evicted");
    assert.equal(factsWith({ phase: "Failed", reason: "not a word" }).ended?.reason, "PodEnded");
    assert.equal(factsWith({ phase: "Succeeded" }).ended?.reason, "PodEnded");
    assert.equal(factsWith({ phase: "Running" }).ended, undefined);
  });

  it("counts an end from when it was asked for, not from when its time is over", () => {
    const ending = { deletionTimestamp: "2030-01-01T00:01:00Z", deletionGracePeriodSeconds: 60 };
    assert.equal(factsWith({}, ending).deletedAt, Date.UTC(2030, 0, 1));
    assert.equal(factsWith({}).deletedAt, undefined);
  });

  it("has a reading for a status that makes no sense", () => {
    const { isReady, ended, crashes, image, delay } = factsWith({ phase: 7, conditions: "x", containerStatuses: [{}] });
    assert.deepEqual([isReady, ended, crashes, image, delay], [false, undefined, undefined, undefined, undefined]);
  });

  it("knows the epoch of its name", () => {
    assert.equal(factsWith({}).epoch, 5);
    assert.equal(factsWith({}, { name: "helper" }).epoch, undefined);
  });
});
