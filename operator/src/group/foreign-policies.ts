import type { KubeObject } from "@copepod/kube/object";
import { z } from "zod";

type Labels = Readonly<Record<string, string>>;

const selectorSchema = z.object({
  matchLabels: z.record(z.string(), z.string()).default({}),
  matchExpressions: z
    .array(z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).default([]) }))
    .default([]),
});
type Selector = z.output<typeof selectorSchema>;

const policySchema = z.object({
  podSelector: selectorSchema.prefault({}),
  policyTypes: z.array(z.string()).optional(),
  egress: z.array(z.unknown()).default([]),
});

/**
 * Policies add up: one of somebody else's that selects the same pods opens what ours closes. Pure.
 * @param policies all of the namespace. @param own name of the group's own. @param podLabels of pods of the group's sessions
 * @returns names of those that let such a pod out
 */
export function foreignPolicies(
  policies: Iterable<KubeObject>,
  { own, podLabels }: { readonly own: string; readonly podLabels: readonly Labels[] },
): readonly string[] {
  return [...policies]
    .filter(({ metadata, spec }) => metadata.name !== own && opensEgress(spec, podLabels))
    .map(({ metadata }) => metadata.name ?? "")
    .sort();
}

function opensEgress(spec: unknown, podLabels: readonly Labels[]): boolean {
  const { data } = policySchema.safeParse(spec);
  // What can't be read may open anything.
  if (!data) return true;
  const isForEgress = data.policyTypes?.includes("Egress") ?? true;
  return isForEgress && data.egress.length > 0 && podLabels.some((labels) => isSelected(data.podSelector, labels));
}

const isSelected = ({ matchLabels, matchExpressions }: Selector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
  matchExpressions.every((expression) => holds(expression, labelOf(labels, expression.key)));

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

function holds({ operator, values }: Selector["matchExpressions"][number], value: string | undefined): boolean {
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  const isIn = value !== undefined && values.includes(value);
  return operator === "In" ? isIn : !isIn;
}
