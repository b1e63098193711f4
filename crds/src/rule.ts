import type { z } from "zod";

/** A condition that a schema can't say: checked here by `holds`, and by the API server through its twin in CEL. */
interface Rule<T> {
  readonly cel: string;
  /** Follows the path of the value in an error message. */
  readonly message: string;
  readonly holds: (value: T) => boolean;
  /** Where in the value the problem is shown. */
  readonly path?: readonly string[];
}

export interface CelRule {
  readonly rule: string;
  readonly message: string;
  /** Where in the value the API server shows the problem: `.metadata.name`. */
  readonly fieldPath?: string;
}

/** Name under which CEL rules stand in the metadata of a schema and in a CRD. */
export const validationsKey = "x-kubernetes-validations";

export function withRule<S extends z.ZodType>(schema: S, rule: Rule<z.output<S>>): S {
  const path = rule.path ?? [];
  const refined = schema.refine((value) => rule.holds(value as z.output<S>), { error: rule.message, path: [...path] });
  const fieldPath = path.length > 0 ? { fieldPath: `.${path.join(".")}` } : {};
  return addCel(refined, { rule: rule.cel, message: rule.message, ...fieldPath });
}

/** A rule about a change of the object: only the API server knows the old state. */
export function withTransitionRule<S extends z.ZodType>(schema: S, rule: CelRule): S {
  return addCel(schema, rule);
}

export function celRulesOf(schema: z.ZodType): readonly CelRule[] {
  const rules = schema.meta()?.[validationsKey];
  return Array.isArray(rules) ? (rules as CelRule[]) : [];
}

function addCel<S extends z.ZodType>(schema: S, rule: CelRule): S {
  return schema.meta({ ...schema.meta(), [validationsKey]: [...celRulesOf(schema), rule] });
}
