import type { KubeObject } from "@copepod/kube/object";
import { z } from "zod";

const conditionsSchema = z.object({
  conditions: z
    .array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() }))
    .default([]),
});

/** Such as `False Conflict`; undefined when nothing is said of the type. */
export function conditionOf({ status }: KubeObject, type: string): string | undefined {
  const found = conditionsSchema.parse(status ?? {}).conditions.find((condition) => condition.type === type);
  return found && `${found.status} ${found.reason}`;
}

/** The sentence that goes with it. */
export const messageOf = ({ status }: KubeObject, type: string): string =>
  conditionsSchema.parse(status ?? {}).conditions.find((condition) => condition.type === type)?.message ?? "";

const dataSchema = z.record(z.string(), z.string());
export const dataOf = (object: KubeObject): Record<string, string> => dataSchema.parse(object.data ?? {});

const claimSchema = z.object({ resources: z.object({ requests: z.object({ storage: z.string() }) }) });
/** What a volume claim asks for. */
export const sizeOf = ({ spec }: KubeObject): string => claimSchema.parse(spec).resources.requests.storage;

const egressSchema = z.object({
  egress: z.array(z.object({ to: z.array(z.unknown()), ports: z.unknown().optional() })),
});
/** The rules of a network policy, one text each. */
export const egressOf = ({ spec }: KubeObject): readonly string[] =>
  egressSchema.parse(spec).egress.map((rule) => JSON.stringify(rule));

const countsSchema = z.object({ sessions: z.number(), awake: z.number(), waiting: z.number() }).partial();
export const countsOf = (group: KubeObject | undefined) => countsSchema.parse(group?.status ?? {});
