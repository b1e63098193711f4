import { z } from "zod";

/**
 * A document as the API server takes it in: a known field that is null counts as absent, and text is well-formed Unicode.
 * What the schema does not know stays as it is.
 */
export function asGiven(schema: z.core.$ZodType, value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray && Array.isArray(value)) return value.map((item) => asGiven(inner.element, item));
  if (!(inner instanceof z.ZodObject) || !isObject(value)) return value;
  const fields = Object.entries(value).flatMap(([key, field]): [string, unknown][] => {
    const known: z.core.$ZodType | undefined = Object.hasOwn(inner.shape, key) ? inner.shape[key] : undefined;
    if (known === undefined) return [[key, field]];
    return field === null ? [] : [[key, asGiven(known, field)]];
  });
  return Object.fromEntries(fields);
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const isOuter = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return isOuter ? unwrap(schema.unwrap()) : schema;
}
