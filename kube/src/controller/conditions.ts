import { isDeepStrictEqual } from "node:util";

/** One entry of `status.conditions`, as all Kubernetes APIs have it. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** Generation of the spec that this was decided by. */
  readonly observedGeneration?: number;
  /** RFC 3339; when the status last changed. */
  readonly lastTransitionTime: string;
}

/** The list with this condition in it, in its old place. The time changes only together with `status`. */
export function withCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, "lastTransitionTime">,
  now: number,
): readonly Condition[] {
  const before = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime =
    before?.status === next.status ? before.lastTransitionTime : `${new Date(now).toISOString().slice(0, 19)}Z`;
  const condition = { ...next, lastTransitionTime };
  if (!before) return [...conditions, condition];
  return conditions.map((old) => (old === before ? condition : old));
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The merge patch that makes `after` of `before`; lists are replaced as a whole.
 * @returns undefined when both say the same: then there is nothing to write, or a controller would wake itself for ever
 */
export function mergePatchOf(before: Json, after: Json): Json | undefined {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].flatMap((name) => {
    const value = changeOf(before[name], after[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

/** @returns undefined without a change, null for what is to be removed */
function changeOf(before: unknown, after: unknown): unknown {
  // A patch can't tell null from what is not there, and neither does this.
  if (after === undefined || after === null) return before === undefined || before === null ? undefined : null;
  if (isObject(before) && isObject(after)) return mergePatchOf(before, after);
  // Inside a list too: a field that is undefined is not sent.
  return isDeepStrictEqual(before, JSON.parse(JSON.stringify(after))) ? undefined : after;
}
