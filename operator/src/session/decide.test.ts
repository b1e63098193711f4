import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Act, decide } from "./decide.ts";
import { imageDeadlineMs, nodeLostMs, slowEndMs, startDeadlineMs } from "./limits.ts";
import { facts, now, situation } from "./testing/samples.ts";

type Given = Parameters<typeof situation>[0];

interface Row {
  readonly says: string;
  readonly given: Given;
  readonly acts?: readonly string[];
  /** Phase and reason; undefined: the status stays as it is. */
  readonly status?: string;
  readonly lookAgain?: number;
}

const trouble = { reason: "SomeTrouble", message: "Something is wrong." };
const awake = { phase: "Awake", podUid: "pod-uid", epoch: 5 };
const waking = { phase: "Waking", podUid: "pod-uid", epoch: 5 };
const failed = { phase: "Failed", epoch: 5 };
const asleep = { wake: { wanted: false, epoch: 5 } };
const ready = facts({ isReady: true });
const lost = { lostSince: now - nodeLostMs };
const podLost = { type: "Ready", status: "False", reason: "PodLost", message: "", lastTransitionTime: "" };

const rows: readonly Row[] = [
  { says: "a pod is made for a wish", given: {}, acts: ["create"] },
  { says: "nothing is made where nothing is wanted", given: asleep, status: "Asleep Asleep" },
  { says: "nor while people have suspended it", given: { suspended: "It is." }, status: "Asleep Suspended" },
  {
    says: "nor for an epoch that has failed",
    given: { status: failed },
  },
  { says: "a failed epoch stays what it is after the sleep", given: { ...asleep, status: failed } },
  { says: "a later epoch is tried", given: { status: { ...failed, epoch: 4 } }, acts: ["create"] },
  { says: "what comes in a moment is waited for in silence", given: { outlook: { kind: "soon" } }, lookAgain: 100 },
  {
    says: "what comes later is waited for, and told",
    given: { outlook: { kind: "later", ...trouble } },
    status: "Waking SomeTrouble",
    lookAgain: 1_000,
  },
  {
    says: "what people have to mend fails the epoch",
    given: { outlook: { kind: "refused", ...trouble } },
    status: "Failed SomeTrouble",
  },
  {
    says: "a pod of a group that is gone or going ends",
    given: {
      pods: [ready],
      status: awake,
      outlook: { kind: "refused", reason: "GroupMissing", message: "It is gone." },
    },
    status: "Failed GroupMissing",
    acts: ["end"],
  },
  {
    says: "a pod that runs goes on while people have to mend what a new one would need",
    given: { pods: [ready], status: awake, outlook: { kind: "refused", ...trouble } },
    status: "Awake Awake",
  },
  { says: "a pod that starts is published", given: { pods: [facts()] }, status: "Waking Starting" },
  { says: "a pod that is ready is awake", given: { pods: [ready], status: waking }, status: "Awake Awake" },
  {
    says: "a pod that was ready stays awake while a container starts anew",
    given: { pods: [facts()], status: awake },
    status: "Awake Awake",
  },
  { says: "a pod that is no longer wanted ends", given: { ...asleep, pods: [ready], status: awake }, acts: ["end"] },
  {
    says: "a pod of a suspended session ends",
    given: { suspended: "It is.", pods: [ready], status: awake },
    acts: ["end"],
  },
  {
    says: "a pod of another epoch ends, and none is made before it is gone",
    given: { pods: [facts({ name: "helper-1-4", epoch: 4, isReady: true })] },
    acts: ["end"],
  },
  {
    says: "a pod of ours with a name that says no epoch ends",
    given: { pods: [facts({ name: "helper", epoch: undefined })] },
    acts: ["end"],
  },
  {
    says: "a pod of a later epoch is one that the cache of Sessions does not know of yet",
    given: { pods: [facts({ name: "helper-1-6", epoch: 6, isReady: true })] },
    lookAgain: 1_000,
  },
  {
    says: "but not for ever",
    given: { pods: [facts({ name: "helper-1-6", epoch: 6, ageMs: 61_000 })] },
    acts: ["end"],
  },
  {
    says: "a pod that ends is not asked again, and the status says nothing of a usual end",
    given: { ...asleep, pods: [facts({ deletedAt: now - 1_000 })], status: awake },
    lookAgain: slowEndMs - 1_000,
  },
  {
    says: "an end that takes long is told",
    given: { ...asleep, pods: [facts({ deletedAt: now - slowEndMs })], status: awake },
    status: "Draining Draining",
  },
  {
    says: "the end of a failed pod does not hide why it failed",
    given: { pods: [facts({ deletedAt: now - slowEndMs })], status: failed },
  },
  { says: "a pod of a failed epoch ends", given: { pods: [ready], status: failed }, acts: ["end"] },
  {
    says: "a wish in the middle of an end waits for it",
    given: { pods: [facts({ deletedAt: now - 1_000 })], status: awake },
    lookAgain: slowEndMs - 1_000,
  },
  {
    says: "of two pods both end",
    given: { pods: [ready, facts({ uid: "other", name: "helper-1-4", epoch: 4 })], status: awake },
    acts: ["end", "end other"],
    status: "Draining MultiplePods",
  },
  {
    says: "of two pods the one that ends already is not asked again",
    given: { pods: [ready, facts({ uid: "other", deletedAt: now })], status: awake },
    acts: ["end"],
    status: "Draining MultiplePods",
  },
  {
    says: "a pod that was evicted while it was awake is made anew",
    given: { pods: [facts({ ended: trouble })], status: awake },
    acts: ["end"],
  },
  {
    says: "a pod that ended before it was awake fails the epoch",
    given: { pods: [facts({ ended: trouble })], status: waking },
    acts: ["end"],
    status: "Failed SomeTrouble",
  },
  {
    says: "a pod whose containers end again and again fails, also one that was awake",
    given: { pods: [facts({ crashes: trouble })], status: awake },
    acts: ["end"],
    status: "Failed SomeTrouble",
  },
  {
    says: "an image that is not there yet is told",
    given: { pods: [facts({ image: { ...trouble, isFinal: false } })], status: waking },
    status: "Waking SomeTrouble",
    lookAgain: imageDeadlineMs - 1_000,
  },
  {
    says: "an image that does not come fails the epoch",
    given: {
      pods: [facts({ image: { ...trouble, isFinal: false }, ageMs: imageDeadlineMs })],
      status: waking,
    },
    acts: ["end"],
    status: "Failed SomeTrouble",
  },
  {
    says: "an image that can never come fails the epoch at once",
    given: { pods: [facts({ image: { ...trouble, isFinal: true } })], status: waking },
    acts: ["end"],
    status: "Failed SomeTrouble",
  },
  {
    says: "a node without room is told, and waited for",
    given: { pods: [facts({ delay: trouble })], status: waking },
    status: "Waking SomeTrouble",
    lookAgain: startDeadlineMs - 1_000,
  },
  {
    says: "a start that takes too long fails, and says what kept it",
    given: { pods: [facts({ delay: trouble, ageMs: startDeadlineMs })], status: waking },
    acts: ["end"],
    status: "Failed SomeTrouble",
  },
  {
    says: "or that nobody knows what did",
    given: { pods: [facts({ ageMs: startDeadlineMs })], status: waking },
    acts: ["end"],
    status: "Failed StartTimeout",
  },
  {
    says: "a pod that has not started is replaced at once when its settings change",
    given: { pods: [facts({ template: "old" })], status: waking },
    acts: ["end"],
  },
  {
    says: "changed rules refresh the files of a pod that is awake",
    given: { pods: [facts({ isReady: true, rules: "old" })], status: awake },
    acts: ["refresh rules-1"],
    status: "Awake Awake",
  },
  {
    says: "a node that was silent for a moment is not lost",
    given: { pods: [{ ...ready, lostSince: now - nodeLostMs + 700 }], status: awake },
    status: "Awake Awake",
    lookAgain: 700,
  },
  {
    says: "a pod on a lost node is waited for",
    given: { pods: [{ ...ready, ...lost }], status: awake },
    status: "Awake PodLost",
  },
  {
    says: "also one that was not awake yet",
    given: { pods: [facts(lost)], status: waking },
    status: "Waking PodLost",
  },
  {
    says: "a pod whose node is back starts its containers anew, and no deadline holds for it",
    given: { pods: [facts({ ageMs: startDeadlineMs })], status: { ...awake, conditions: [podLost] } },
    status: "Awake Awake",
  },
  {
    says: "or given up, where the group says so",
    given: { pods: [{ ...ready, ...lost }], status: awake, forceLost: true },
    acts: ["end at once"],
    status: "Awake PodLost",
  },
  {
    says: "a pod that can't end on a lost node says so",
    given: { ...asleep, pods: [facts({ deletedAt: now - slowEndMs, ...lost })], status: awake },
    status: "Draining PodLost",
  },
  {
    says: "or is given up, too",
    given: {
      ...asleep,
      pods: [facts({ deletedAt: now, ...lost })],
      status: awake,
      forceLost: true,
    },
    acts: ["end at once"],
  },
  {
    says: "of two pods the one on a lost node is given up, where the group says so",
    given: {
      pods: [facts({ deletedAt: now }), facts({ uid: "other", deletedAt: now, ...lost })],
      forceLost: true,
    },
    acts: ["end other at once"],
    status: "Draining MultiplePods",
    lookAgain: nodeLostMs,
  },
];

describe("what is done for a session", () => {
  for (const { says, given, acts = [], status, lookAgain } of rows) {
    it(says, () => {
      const decision = decide(situation(given));
      assert.deepEqual(decision.acts.map(describeAct), acts);
      assert.equal(decision.status && `${decision.status.phase} ${decision.status.ready.reason}`, status);
      if (lookAgain !== undefined) assert.equal(decision.lookAgainInMs, lookAgain);
    });
  }

  it("publishes pod, UID and epoch together, and takes them back together", () => {
    const { status } = decide(situation({ pods: [facts()] }));
    assert.deepEqual([status?.podName, status?.podUid, status?.epoch], ["helper-1-5", "pod-uid", 5]);
    const { status: after } = decide(situation({ ...asleep, status: awake }));
    assert.deepEqual([after?.podName, after?.podUid, after?.epoch], [undefined, undefined, 5]);
  });

  it("asks for a drain while the settings differ, and only then", () => {
    const old = facts({ isReady: true, template: "old" });
    assert.equal(decide(situation({ pods: [old], status: awake })).status?.drainRequested?.epoch, 5);
    assert.equal(decide(situation({ pods: [ready], status: awake })).status?.drainRequested, undefined);
  });

  it("keeps what it asked for while it can't know the settings", () => {
    const status = { ...awake, drainRequested: { epoch: 5, reason: "They changed." } };
    const decision = decide(situation({ pods: [ready], status, outlook: { kind: "soon" } }));
    assert.deepEqual(decision.status?.drainRequested, status.drainRequested);
  });

  it("tells of an eviction by an Event, since the status says nothing of it", () => {
    const decision = decide(situation({ pods: [facts({ ended: trouble })], status: awake }));
    assert.deepEqual(decision.happened, trouble);
  });

  it("always looks again at what only time can change", () => {
    for (const given of [
      { pods: [facts()] },
      { ...asleep, pods: [facts({ deletedAt: now })] },
      { ...asleep, pods: [ready] },
    ]) {
      assert.ok((decide(situation(given)).lookAgainInMs ?? 0) > 0);
    }
  });
});

function describeAct(act: Act): string {
  switch (act.kind) {
    case "create":
      return "create";
    case "end":
      return ["end", act.uid === "pod-uid" ? "" : act.uid, act.atOnce ? "at once" : ""].filter(Boolean).join(" ");
    case "refresh":
      return `refresh ${act.rules}`;
  }
}
