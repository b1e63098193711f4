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
