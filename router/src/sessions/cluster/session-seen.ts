import { keyOf } from "@copepod/core/addresses";
import { apiGroup, apiVersionName } from "@copepod/crds/definition";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { z } from "zod";

export const sessionResource: Resource = {
  group: apiGroup,
  version: apiVersionName,
  kind: "Session",
  plural: "sessions",
  namespaced: true,
};

const conditionSchema = z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() });

/** What the operator writes. */
const observedSchema = z.object({
  phase: z.enum(["Asleep", "Waking", "Awake", "Draining", "Failed"]).optional(),
  epoch: z.int().optional(),
  podUid: z.string().optional(),
  drainRequested: z.object({ epoch: z.int() }).optional(),
  conditions: z.array(conditionSchema).default([]),
});

/** What the router writes, as it stands at the API server. */
const shownSchema = z.object({
  pending: z.int().optional(),
  oldestPendingAt: z.string().optional(),
  lastActiveAt: z.string().optional(),
  reason: z.string().optional(),
});
export type Shown = z.output<typeof shownSchema>;

const objectSchema = z.object({
  spec: z.object({
    group: z.string(),
    wake: z.object({ wanted: z.boolean().default(false), epoch: z.int().default(0) }).prefault({}),
    suspended: z.boolean().default(false),
  }),
  status: z.unknown().optional(),
});

export type Wake = z.output<typeof objectSchema>["spec"]["wake"];

/** The few fields of a Session object that the router looks at. */
export interface SessionSeen {
  /** Row key. */
  readonly session: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Name of the agent group. */
  readonly group: string;
  readonly wake: Wake;
  readonly suspended: boolean;
  readonly observed: z.output<typeof observedSchema>;
  readonly shown: Shown;
}

/** @throws Error for an object that is no Session */
export function sessionSeenOf({ metadata, ...object }: KubeObject): SessionSeen {
  const { namespace = "", name = "", uid = "", resourceVersion = "" } = metadata;
  const { spec, status = {} } = objectSchema.parse(object);
  return {
    session: keyOf(namespace, name),
    uid,
    resourceVersion,
    group: spec.group,
    wake: spec.wake,
    suspended: spec.suspended,
    observed: observedSchema.parse(status),
    shown: shownSchema.parse(status),
  };
}
