import { type Condition, withCondition } from "@copepod/kube/controller/conditions";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import { z } from "zod";
import type { Trouble } from "./facts.ts";

export const phases = ["Asleep", "Waking", "Awake", "Draining", "Failed"] as const;
export type Phase = (typeof phases)[number];

/** Longest sentence of a condition and of a reason, in UTF-16 units. */
const maxSentence = 1_024;

/** What of a Session's status the operator writes. */
export interface OwnStatus {
  readonly phase: Phase;
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  readonly epoch: number | undefined;
  readonly drainRequested: { readonly epoch: number; readonly reason: string } | undefined;
  /** The condition `Ready`. */
  readonly ready: Trouble & { readonly isTrue: boolean };
}

const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
  observedGeneration: z.number().exactOptional(),
});

const statusSchema = z.object({
  phase: z.enum(phases).optional().catch(undefined),
  podName: z.string().optional().catch(undefined),
  podUid: z.string().optional().catch(undefined),
  epoch: z.number().optional().catch(undefined),
  drainRequested: z.object({ epoch: z.number(), reason: z.string() }).optional().catch(undefined),
  conditions: z.array(conditionSchema).catch([]),
});
export type StatusRead = z.output<typeof statusSchema>;

export const readStatus = (status: unknown): StatusRead => statusSchema.parse(status ?? {});

/** @returns the merge patch of the status; undefined when it says all that already */
export function statusPatch(
  before: StatusRead,
  { ready, ...wanted }: OwnStatus,
  { now, generation }: { readonly now: number; readonly generation: number | undefined },
): object | undefined {
  const condition: Omit<Condition, "lastTransitionTime"> = {
    type: "Ready",
    status: ready.isTrue ? "True" : "False",
    reason: ready.reason,
    message: asSentence(ready.message),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  const known = before.conditions.find(({ type }) => type === "Ready");
  // A generation alone is no news.
  const isKnown = (["status", "reason", "message"] as const).every((field) => known?.[field] === condition[field]);
  const conditions = isKnown ? before.conditions : withCondition(before.conditions, condition, now);
  return mergePatchOf(before, { ...wanted, conditions });
}

/** The API server's sentences may be long, and have several lines. */
export const asSentence = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, maxSentence)
    .toWellFormed();
