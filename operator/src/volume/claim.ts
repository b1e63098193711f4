import { annotations, labels, operatorName } from "@copepod/core/cluster";
import type { Workspace } from "@copepod/crds/workspace";
import type { Condition } from "@copepod/kube/controller/conditions";
import type { HasMetadata, KubeObject } from "@copepod/kube/object";
import { z } from "zod";
import type { Found, Step } from "../children.ts";
import { volumeClaims } from "../resources.ts";
import type { Verdict } from "../status/status.ts";

/** Where the claim of an agent group or of a workspace is. It has no owner: it outlives the resource it was made for. */
export interface VolumePlace {
  readonly namespace: string;
  readonly name: string;
  /** The label that says whose the claim is, and its value. */
  readonly mark: readonly [label: string, name: string];
}

export interface VolumeWish extends VolumePlace {
  /** For sentences, such as `AgentGroup team-a`. */
  readonly owner: string;
  readonly storage: Workspace["spec"];
}

export interface ClaimView {
  readonly found: Found;
  /** What was said of the volume before. */
  readonly before: Condition | undefined;
  /** A person said that a new, empty volume shall take the place of one that is gone. */
  readonly mayBeNew: boolean;
  /** Why the API server refused the claim, or its growth, a short time ago. */
  readonly refusal: string | undefined;
}

export interface ClaimDecision {
  readonly steps: readonly Step[];
  readonly verdict: Verdict;
}

/** A claim without an owner is known by its labels. */
export const isClaimOf =
  ([label, name]: VolumePlace["mark"]) =>
  ({ metadata: { labels: has } }: HasMetadata): boolean =>
    has?.[labels.managedBy] === operatorName && has[label] === name;

/** What is to be done about a claim, and what is said of the volume. Pure. */
export function decideClaim(wish: VolumeWish, { found, before, mayBeNew, refusal }: ClaimView): ClaimDecision {
  const claim = `The PersistentVolumeClaim ${wish.name}`;
  switch (found.kind) {
    case "old":
    case "foreign":
      return said("False", "Conflict", `${claim} is not of ${wish.owner}; rename the one or the other.`);
    case "missing":
      if (wasMade(before) && !mayBeNew) return said("False", "VolumeMissing", missingMessage(wish));
      if (refusal !== undefined) return said("False", "Refused", refusedMessage(claim, refusal));
      return {
        ...said("Unknown", "Pending", pendingMessage(claim, wish.storage.storageClassName)),
        steps: [{ kind: "create", resource: volumeClaims, object: claimOf(wish) }],
      };
    case "own":
      return decideOwn(wish, found.object, refusal);
  }
}

/** What a claim says of the resource that is gone, whose files it keeps. Undefined when it says so already. */
export function keptStep(claim: KubeObject, since: string): Step | undefined {
  if (claim.metadata.deletionTimestamp !== undefined || claim.metadata.labels?.[labels.kept] !== undefined)
    return undefined;
  const metadata = { labels: { [labels.kept]: "true" }, annotations: { [annotations.keptSince]: since } };
  return { kind: "patch", resource: volumeClaims, read: claim, patch: { metadata } };
}

function decideOwn(wish: VolumeWish, object: KubeObject, refusal: string | undefined): ClaimDecision {
  const { phase, size, difference, storageClass } = readClaim(wish, object);
  const claim = `The PersistentVolumeClaim ${wish.name}`;
  if (object.metadata.deletionTimestamp !== undefined) {
    return said(
      "False",
      "Terminating",
      `${claim} is being deleted, and with it its files; it goes once no pod has it.`,
    );
  }
  const steps = refusal === undefined ? adoptSteps(object) : [];
  if (difference !== undefined) return { ...said("False", "VolumeFixed", difference), steps };
  if (phase === "Lost") return { ...said("False", "Lost", `${claim} has lost its volume; restore the volume.`), steps };
  // Only a bound claim can grow.
  if (phase !== "Bound") return { ...said("Unknown", "Pending", pendingMessage(claim, storageClass)), steps };
  if (bytesOf(size) >= bytesOf(wish.storage.size))
    return { ...said("True", "Bound", `${claim} has its volume.`), steps };
  if (refusal !== undefined) return { ...said("False", "NotGrown", notGrownMessage(claim, refusal)), steps };
  const patch = { spec: { resources: { requests: { storage: wish.storage.size } } } };
  const growth = { kind: "patch", resource: volumeClaims, read: object, patch } as const;
  // One write of an object at a time: the second would have an old version.
  const next = steps.length > 0 ? steps : [growth];
  return { ...said("True", "Growing", `${claim} grows to ${wish.storage.size}.`), steps: next };
}

const pendingMessage = (claim: string, storageClass: string | undefined): string =>
  `${claim} waits for its volume of ${storageClass === undefined ? "the default class" : `the StorageClass ${storageClass}`}: many classes make it for the first pod only; \`kubectl describe pvc\` says more.`;

/** A resource with the name of one that is gone takes over what was kept for it. */
function adoptSteps(object: KubeObject): Step[] {
  if (object.metadata.labels?.[labels.kept] === undefined) return [];
  const metadata = { labels: { [labels.kept]: null }, annotations: { [annotations.keptSince]: null } };
  return [{ kind: "patch", resource: volumeClaims, read: object, patch: { metadata } }];
}

function claimOf({ namespace, name, owner, mark: [label, value], storage }: VolumeWish): KubeObject {
  const { size, storageClassName, accessModes } = storage;
  return {
    metadata: {
      namespace,
      name,
      labels: { [labels.managedBy]: operatorName, [label]: value },
      annotations: {
        [annotations.about]: `Files of ${owner}. Unless its retain is Delete they stay when it is deleted.`,
      },
    },
    spec: {
      accessModes,
      resources: { requests: { storage: size } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}

const claimSchema = z.object({
  spec: z.object({
    accessModes: z.array(z.string()).default([]),
    storageClassName: z.string().optional(),
    resources: z.object({ requests: z.object({ storage: z.string() }) }),
  }),
  status: z.object({ phase: z.string().default("Pending") }).prefault({}),
});

function readClaim({ storage, name }: VolumeWish, object: KubeObject) {
  const { spec, status } = claimSchema.parse(object);
  const size = spec.resources.requests.storage;
  const cure = "A claim can't change that: set it back, or copy the files, delete the claim, and ask for a new volume.";
  const differs = (what: string, has: string, wanted: string) =>
    `The PersistentVolumeClaim ${name} has the ${what} ${has}, not ${wanted}. ${cure}`;
  const [modes, wantedModes] = [spec.accessModes, storage.accessModes].map((list) => list.toSorted().join(", "));
  const { storageClassName: wantedClass } = storage;
  let difference: string | undefined;
  if (modes !== wantedModes) difference = differs("access modes", modes ?? "", wantedModes ?? "");
  else if (wantedClass !== undefined && wantedClass !== spec.storageClassName)
    difference = differs("class", spec.storageClassName ?? "none", wantedClass);
  else if (bytesOf(size) > bytesOf(storage.size)) difference = differs("size", size, `the smaller ${storage.size}`);
  return { phase: status.phase, size, difference, storageClass: spec.storageClassName };
}

/** Only what was refused or taken was never there. */
const wasMade = (before: Condition | undefined): boolean =>
  before !== undefined && !["Conflict", "Refused"].includes(before.reason);

const missingMessage = ({ name, owner }: VolumeWish): string =>
  `The PersistentVolumeClaim ${name} is gone, and with it the files of ${owner}. Restore it with its labels, or annotate ` +
  `the resource with ${annotations.newVolume}=true for a new, empty one.`;

const refusedMessage = (claim: string, refusal: string): string =>
  `${claim} is refused; once that is mended it is made within minutes. ${refusal}`;

const notGrownMessage = (claim: string, refusal: string): string =>
  `${claim} can't grow: let its class grow (allowVolumeExpansion), or set the size back. ${refusal}`;

const said = (status: Verdict["status"], reason: string, message: string): ClaimDecision => ({
  steps: [],
  verdict: { type: "VolumeReady", status, reason, message },
});

const units: Readonly<Record<string, number>> = {
  ...{ "": 1, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** Bytes of an amount as Kubernetes writes it; NaN for other text. */
export function bytesOf(amount: string): number {
  const [, digits, unit = ""] = /^([0-9.]+(?:e[0-9]+)?)([A-Za-z]*)$/.exec(amount) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}
