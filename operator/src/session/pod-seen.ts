import type { KubeObject, ObjectMeta } from "@copepod/kube/object";
import { z } from "zod";
import { slim } from "../seen.ts";

/** What is kept of a pod. */
export type PodSeen = {
  readonly metadata: ObjectMeta;
  readonly nodeName: string | undefined;
  /** UTC ms when it was asked to end; undefined when it was not. */
  readonly deletedAt: number | undefined;
  readonly status: z.output<typeof statusSchema>;
};

const waiting = z.object({ reason: z.string().catch(""), message: z.string().optional().catch(undefined) });

const statusSchema = z.object({
  phase: z.string().catch("Unknown"),
  /** Such as `Evicted`. */
  reason: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.string(),
        reason: z.string().optional().catch(undefined),
        message: z.string().optional().catch(undefined),
      }),
    )
    .catch([]),
  containerStatuses: z
    .array(
      z.object({
        name: z.string(),
        ready: z.boolean().catch(false),
        restartCount: z.number().catch(0),
        state: z
          .object({ waiting: waiting.optional().catch(undefined), running: z.looseObject({}).optional() })
          .catch({}),
      }),
    )
    .catch([]),
});

const specSchema = z.object({ nodeName: z.string().optional().catch(undefined) }).catch({});

const deletionSchema = z.object({
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().catch(0),
});

/** The timestamp of a pod says when its time is over, not when it began to end. */
function readDeletedAt(metadata: ObjectMeta): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = deletionSchema.parse(metadata);
  return deletionTimestamp === undefined
    ? undefined
    : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1_000;
}

export const seePod = ({ metadata, spec, status }: KubeObject): PodSeen => ({
  metadata: slim(metadata),
  deletedAt: readDeletedAt(metadata),
  nodeName: specSchema.parse(spec).nodeName,
  status: statusSchema.parse(status ?? {}),
});
