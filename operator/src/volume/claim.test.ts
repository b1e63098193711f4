import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labels } from "@copepod/core/cluster";
import type { Condition } from "@copepod/kube/controller/conditions";
import type { KubeObject } from "@copepod/kube/object";
import type { Found } from "../children.ts";
import { bytesOf, type ClaimView, decideClaim, isClaimOf, keptStep, type VolumeWish } from "./claim.ts";

const wish: VolumeWish = {
  ...{ namespace: "agents", name: "copepod-group-a", owner: "AgentGroup a", mark: [labels.group, "a"] },
  storage: { size: "10Gi", accessModes: ["ReadWriteOnce"], retain: "Keep" },
};

interface ClaimFacts {
  readonly phase?: string;
  readonly size?: string;
  readonly accessModes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

function own({ phase = "Bound", size = "10Gi", accessModes = ["ReadWriteOnce"], ...metadata }: ClaimFacts = {}): Found {
  const spec = { accessModes, storageClassName: "fast", resources: { requests: { storage: size } } };
  return { kind: "own", object: { metadata: { name: wish.name, ...metadata }, spec, status: { phase } } };
}

const before = (reason: string): Condition => ({
  ...{ type: "VolumeReady", status: "Unknown", reason, message: "", lastTransitionTime: "" },
});
const missing: Found = { kind: "missing" };

/** The verdict, and what is done, such as `True Bound: patch`. */
function decided(view: Partial<ClaimView>, storage: Partial<VolumeWish["storage"]> = {}): string {
  const whole = { found: own(), before: undefined, mayBeNew: false, refusal: undefined, ...view };
  const { verdict, steps } = decideClaim({ ...wish, storage: { ...wish.storage, ...storage } }, whole);
  return `${verdict.status} ${verdict.reason}: ${steps.map(({ kind }) => kind).join()}`;
}

describe("the claim of a volume", () => {
  const kept = { [labels.kept]: "true" };
  for (const [name, expected, view, storage] of [
    ["is made where there is none", "Unknown Pending: create", { found: missing }],
    ["is not made again by itself", "False VolumeMissing: ", { found: missing, before: before("Bound") }],
    ["is not made again while it was pending", "False VolumeMissing: ", { found: missing, before: before("Pending") }],
    [
      "is not made again after it could not grow",
      "False VolumeMissing: ",
      { found: missing, before: before("NotGrown") },
    ],
    [
      "is made again by a person's wish",
      "Unknown Pending: create",
      { found: missing, before: before("Bound"), mayBeNew: true },
    ],
    ["is made once a foreign one is gone", "Unknown Pending: create", { found: missing, before: before("Conflict") }],
    ["is made after a refusal", "Unknown Pending: create", { found: missing, before: before("Refused") }],
    ["waits after a refusal", "False Refused: ", { found: missing, refusal: "exceeded quota" }],
    ["of somebody else stays untouched", "False Conflict: ", { found: { kind: "foreign" } }],
    ["is ready when it is bound", "True Bound: ", {}],
    ["waits for its volume", "Unknown Pending: ", { found: own({ phase: "Pending" }) }],
    ["does not grow before it is bound", "Unknown Pending: ", { found: own({ phase: "Pending", size: "1Gi" }) }],
    ["grows", "True Growing: patch", { found: own({ size: "1Gi" }) }],
    ["does not grow by another spelling", "True Bound: ", { found: own({ size: "10240Mi" }) }],
    ["does not grow right after a refusal", "False NotGrown: ", { found: own({ size: "1Gi" }), refusal: "no" }],
    ["can't shrink", "False VolumeFixed: ", { found: own({ size: "20Gi" }) }],
    ["can't have other access modes", "False VolumeFixed: ", { found: own({ accessModes: ["ReadWriteMany"] }) }],
    [
      "has its access modes in any order",
      "True Bound: ",
      { found: own({ accessModes: ["ReadWriteMany", "ReadWriteOnce"] }) },
      { accessModes: ["ReadWriteOnce", "ReadWriteMany"] },
    ],
    ["can't have another class", "False VolumeFixed: ", {}, { storageClassName: "slow" }],
    ["keeps the class that it has", "True Bound: ", {}, { storageClassName: "fast" }],
    ["can be lost", "False Lost: ", { found: own({ phase: "Lost" }) }],
    [
      "that is being deleted is left alone",
      "False Terminating: ",
      { found: own({ size: "1Gi", deletionTimestamp: "2030-01-01T00:00:00Z" }) },
    ],
    ["that was kept is taken over", "True Bound: patch", { found: own({ labels: kept }) }],
    ["is taken over first, and grows then", "True Growing: patch", { found: own({ labels: kept, size: "1Gi" }) }],
  ] as const satisfies readonly (readonly [string, string, Partial<ClaimView>, Partial<VolumeWish["storage"]>?])[]) {
    it(name, () => assert.equal(decided(view, storage), expected));
  }

  it("is known by both labels", () => {
    const isOwn = isClaimOf(wish.mark);
    const by = (managedBy: string, group: string) => ({
      metadata: { labels: { [labels.managedBy]: managedBy, [labels.group]: group } },
    });
    assert.deepEqual(
      [by("copepod-operator", "a"), by("copepod-operator", "b"), by("helm", "a"), { metadata: {} }].map(isOwn),
      [...[true, false, false, false]],
    );
  });

  it("is marked once when its resource is gone, and not while it goes itself", () => {
    const claim: KubeObject = { metadata: { name: wish.name } };
    assert.equal(keptStep(claim, "2030-01-01T00:00:00Z")?.kind, "patch");
    assert.equal(keptStep({ metadata: { labels: kept } }, ""), undefined);
    assert.equal(keptStep({ metadata: { deletionTimestamp: "2030-01-01T00:00:00Z" } }, ""), undefined);
  });
});

describe("an amount", () => {
  for (const [amount, bytes] of [
    ["10Gi", 10 * 2 ** 30],
    ["10240Mi", 10 * 2 ** 30],
    ["1.5Ti", 1.5 * 2 ** 40],
    ["1000000000", 1e9],
    ["1G", 1e9],
    ["1e9", 1e9],
    ["lots", Number.NaN],
  ] as const) {
    it(`${amount} is ${bytes} bytes`, () => assert.equal(bytesOf(amount), bytes));
  }
});
