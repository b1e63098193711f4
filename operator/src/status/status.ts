import { type Condition, withCondition } from "@copepod/kube/controller/conditions";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import type { Patch } from "@copepod/kube/lease/fence";
import { z } from "zod";
import type { Seen } from "../seen.ts";

/** Longest message of a condition, as its schema says. */
const maxMessageLength = 1_024;

/** What a controller says of one type of condition. */
export interface Verdict {
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

const conditionsSchema = z
  .array(
    z.object({
      type: z.string(),
      status: z.enum(["True", "False", "Unknown"]),
      reason: z.string(),
      message: z.string(),
      lastTransitionTime: z.string(),
      observedGeneration: z.number().optional(),
    }),
  )
  .catch([]);

/** Conditions of a resource; none where they can't be read. */
export const conditionsOf = ({ status }: Pick<Seen<unknown>, "status">): readonly Condition[] =>
  conditionsSchema.parse(status.conditions).map(({ observedGeneration, ...rest }) => ({
    ...rest,
    ...(observedGeneration !== undefined && { observedGeneration }),
  }));

export const conditionOf = (seen: Pick<Seen<unknown>, "status">, type: string): Condition | undefined =>
  conditionsOf(seen).find((condition) => condition.type === type);

/** The verdicts as conditions, in their order. A type that nothing is said of goes. */
export function nextConditions(
  { metadata, status }: Pick<Seen<unknown>, "metadata" | "status">,
  verdicts: readonly Verdict[],
  now: number,
): readonly Condition[] {
  const before = conditionsOf({ status });
  return verdicts.flatMap((verdict) => {
    const observed = metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };
    const message = oneLine(verdict.message);
    const old = before.filter(({ type }) => type === verdict.type);
    return withCondition(old, { ...verdict, message, ...observed }, now);
  });
}

/** The merge patch of the status that makes these fields so; undefined when they are. */
export function statusPatch(
  { status }: Pick<Seen<unknown>, "status">,
  fields: Readonly<Record<string, unknown>>,
): Patch | undefined {
  const before = Object.fromEntries(Object.keys(fields).map((name) => [name, status[name]]));
  const patch = mergePatchOf(before, fields);
  return patch && { status: patch };
}

/** All is well, or the first of these that is not, under its own name. */
export function summary(verdicts: readonly Verdict[], well: Omit<Verdict, "type" | "status">): Verdict {
  const wrong = verdicts.find(({ status }) => status === "False");
  return wrong ? { ...wrong, type: "Ready" } : { ...well, type: "Ready", status: "True" };
}

/** Texts of the API server may have several. */
const oneLine = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, maxMessageLength)
    .toWellFormed();
