import { z } from "zod";

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

/**
 * A rule that takes texts of several fields apart, such as two durations. It is looked at only where each of them is there
 * and good by itself: else the API server would say of the whole object what fails within the rule.
 * @param fields a new one first, so that no stored object can break the rule
 */
export function withRuleOver<S extends z.ZodObject, F extends keyof S["shape"] & string>(
  schema: S,
  fields: readonly F[],
  rule: Rule<Readonly<Record<F, string>>>,
): S {
  const texts = z.object(Object.fromEntries(fields.map((name) => [name, z.string().pipe(schema.shape[name])])));
  const areGood = (value: unknown): value is Readonly<Record<F, string>> => texts.safeParse(value).success;
  return withRule(schema, {
    ...rule,
    cel: [...fields.flatMap((name) => badInCel(`self.${name}`, schema.shape[name])), `(${rule.cel})`].join(" || "),
    holds: (value) => !areGood(value) || rule.holds(value),
  });
}

/** A rule about a change of the object: only the API server knows the old state. */
export const withTransitionRule = <S extends z.ZodType>(schema: S, rule: CelRule): S => addCel(schema, rule);

export const celRulesOf = (schema: z.ZodType): readonly CelRule[] => asRules(schema.meta()?.[validationsKey]);

const asRules = (rules: unknown): readonly CelRule[] => (Array.isArray(rules) ? rules : []);

/** How a text can be bad, for what does not keep the API server from looking at rules. A true one outweighs a failure. */
function badInCel(text: string, schema: z.core.$ZodType): string[] {
  const { pattern, minLength, ...more } = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" });
  return [
    `!has(${text})`,
    ...(pattern === undefined ? [] : [`!${text}.matches(${JSON.stringify(pattern)})`]),
    ...(minLength === undefined ? [] : [`${text}.size() < ${minLength}`]),
    ...asRules(more[validationsKey]).map(({ rule }) => `!(${rule.replaceAll(/\bself\b/g, text)})`),
  ];
}

function addCel<S extends z.ZodType>(schema: S, rule: CelRule): S {
  return schema.meta({ ...schema.meta(), [validationsKey]: [...celRulesOf(schema), rule] });
}
