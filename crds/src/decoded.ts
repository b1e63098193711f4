import { z } from "zod";

/**
 * A document as the API server decodes it: a known field that is null counts as absent, and all text is well-formed
 * Unicode.
 */
export function asDecoded(schema: z.core.$ZodType, value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  const inner = unwrap(schema);
  if (Array.isArray(value)) {
    const item = inner instanceof z.ZodArray ? inner.element : z.unknown();
    return value.map((one) => asDecoded(item, one));
  }
  if (!isObject(value)) return value;
  const shape: z.core.$ZodShape = inner instanceof z.ZodObject ? inner.shape : {};
  const fields = Object.entries(value).flatMap(([key, field]): [string, unknown][] => {
    if (!Object.hasOwn(shape, key)) return [[key.toWellFormed(), asDecoded(z.unknown(), field)]];
    return field === null ? [] : [[key, asDecoded(shape[key] ?? z.unknown(), field)]];
  });
  return Object.fromEntries(fields);
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const isOuter = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return isOuter ? unwrap(schema.unwrap()) : schema;
}
