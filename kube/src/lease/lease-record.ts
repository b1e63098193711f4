import { z } from "zod";
import { microTime } from "../clock.ts";
import type { KubeObject, ObjectName, Resource } from "../object.ts";

export const leaseResource: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

/** A Lease as an election sees it. */
export interface LeaseRecord {
  readonly resourceVersion: string;
  /** By the API server's clock, in whole seconds; part of the term, as the UID is. */
  readonly createdAt: string;
  readonly uid: string;
  /** Empty when nobody holds it. */
  readonly holder: string;
  /** How long the holder asks to be waited for since it was last heard of. */
  readonly durationMs: number;
  readonly transitions: number;
  /** Changes with each renewal, and says nothing else: it was read from somebody else's clock. */
  readonly mark: string;
}

const leaseSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), creationTimestamp: z.string(), uid: z.string() }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      leaseTransitions: z.number().nullish(),
      renewTime: z.string().nullish(),
    })
    .nullish(),
});

export function readLease(object: KubeObject): LeaseRecord {
  const { metadata, spec } = leaseSchema.parse(object);
  return {
    resourceVersion: metadata.resourceVersion,
    createdAt: metadata.creationTimestamp,
    uid: metadata.uid,
    holder: spec?.holderIdentity ?? "",
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1_000,
    transitions: spec?.leaseTransitions ?? 0,
    mark: JSON.stringify(spec ?? null),
  };
}

export interface LeaseClaim {
  readonly candidate: string;
  readonly leaseMs: number;
  readonly transitions: number;
  /** UTC ms; for people only. */
  readonly now: number;
  /** Whether a new term begins. */
  readonly acquires: boolean;
}

export const claimSpec = ({ candidate, leaseMs, transitions, now, acquires }: LeaseClaim): object => ({
  holderIdentity: candidate,
  // Rounded up: to be waited for too long is harmless, too short is not.
  leaseDurationSeconds: Math.ceil(leaseMs / 1_000),
  leaseTransitions: transitions,
  renewTime: microTime(now),
  ...(acquires ? { acquireTime: microTime(now) } : {}),
});

/** Nobody has to be waited for. */
export const releasedSpec = (now: number): object => ({
  holderIdentity: null,
  leaseDurationSeconds: 1,
  renewTime: microTime(now),
});

export const newLease = ({ namespace, name }: ObjectName, spec: object): KubeObject => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { namespace, name },
  spec,
});

const transitionDigits = 10;

/**
 * The number of a leadership: compared as text, the later one is greater, also when somebody deleted the Lease and its count
 * began anew (unless the API server's clock went back). Of two Leases that were made in one second see `isEarlier`.
 */
export const termOf = ({
  createdAt,
  uid,
  transitions,
}: Pick<LeaseRecord, "createdAt" | "uid" | "transitions">): string =>
  `${createdAt}/${uid}/${String(transitions).padStart(transitionDigits, "0")}`;

/** Whether a term is surely an earlier one. */
export function isEarlier(term: string, than: string): boolean {
  const [[createdAt, uid], [thanCreatedAt, thanUid]] = [term.split("/"), than.split("/")];
  return term < than && (createdAt !== thanCreatedAt || uid === thanUid);
}
