import { z } from "zod";
import { celRulesOf } from "../rule.ts";

/** A schema as the API server wants it: structural, bounded, described. */
export type StructuralSchema = Readonly<Record<string, unknown>>;

type Raw = Record<string, unknown>;

/** Keys that the API server knows, in the order in which people like to read them. */
const keptKeys = [
  "description",
  "type",
  "format",
  "nullable",
  "enum",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "minItems",
  "maxItems",
  "default",
  "required",
];

/** Turned into something else, or dropped on purpose. */
const handledKeys = ["$schema", "properties", "additionalProperties", "items"];

const maxInt32 = 2 ** 31 - 1;

/**
 * Turns a zod schema into the schema of a CRD.
 * @throws Error naming the field, for whatever a CRD can't say or must not leave open
 */
export function toStructural(schema: z.ZodType): StructuralSchema {
  requireCelTwins(schema, "");
  const raw = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    reused: "inline",
    cycles: "throw",
    unrepresentable: "throw",
  });
  return convert(raw as Raw, "");
}

export const isSchema = (value: unknown): value is StructuralSchema => typeof value === "object" && value !== null;

export const fieldsOf = ({ properties }: StructuralSchema): Readonly<Record<string, StructuralSchema>> =>
  isSchema(properties) ? Object.fromEntries(Object.entries(properties).filter(isField)) : {};

const isField = (entry: [string, unknown]): entry is [string, StructuralSchema] => isSchema(entry[1]);

function convert(raw: Raw, path: string): StructuralSchema {
  refuseUnknownKeys(raw, path);
  switch (raw.type) {
    case "object":
      return { ...keep(raw), ...convertObject(raw, path) };
    case "array":
      if (raw.maxItems === undefined) fail(path, "a list needs a maximum");
      return { ...keep(raw), items: convert(asRaw(raw.items), `${path}[]`), ...extensions(raw) };
    case "string":
      return convertString(raw, path);
    case "integer":
      return { ...keep(withFormat(raw)), ...extensions(raw) };
    case "boolean":
    case "number":
      return { ...keep(raw), ...extensions(raw) };
    default:
      return fail(path, `type ${String(raw.type)} is not structural`);
  }
}

function convertObject(raw: Raw, path: string): StructuralSchema {
  const extra = raw.additionalProperties;
  if (raw.properties === undefined && extra !== undefined && extra !== false) {
    if (Object.keys(asRaw(extra)).length === 0) return { "x-kubernetes-preserve-unknown-fields": true };
    return fail(path, "a map needs a maximum; use a list with a key");
  }
  const properties = Object.entries(asRaw(raw.properties ?? {})).map(([name, value]) => {
    const field = path === "" ? name : `${path}.${name}`;
    if (asRaw(value).description === undefined) fail(field, "a field needs a description");
    return [name, convert(asRaw(value), field)];
  });
  return { ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}), ...extensions(raw) };
}

function convertString(raw: Raw, path: string): StructuralSchema {
  const { pattern, ...rest } = raw;
  if (raw.maxLength === undefined && raw.enum === undefined) fail(path, "a string needs a maximum");
  // zod's patterns of formats are long, some with look-around; the API server checks the format itself.
  if (raw.format !== undefined || pattern === undefined) return { ...keep(rest), ...extensions(raw) };
  const source = String(pattern).replaceAll("\\/", "/");
  if (/\(\?<?[=!]|\\[1-9]|\\k</.test(source)) fail(path, "the pattern uses look-around or a back-reference");
  return { ...keep({ ...rest, pattern: source }), ...extensions(raw) };
}

/** The bounds of an int64 stay: the API server can hold greater numbers than JavaScript. */
function withFormat(raw: Raw): Raw {
  const isInt32 = within(raw.minimum, maxInt32 + 1) && within(raw.maximum, maxInt32);
  return { ...raw, format: isInt32 ? "int32" : "int64" };
}

const within = (bound: unknown, limit: number): boolean => typeof bound === "number" && Math.abs(bound) <= limit;

const keep = (raw: Raw): Raw =>
  Object.fromEntries(keptKeys.filter((key) => raw[key] !== undefined).map((key) => [key, raw[key]]));

const extensions = (raw: Raw): Raw =>
  Object.fromEntries(Object.entries(raw).filter(([key]) => key.startsWith("x-kubernetes-")));

function refuseUnknownKeys(raw: Raw, path: string): void {
  for (const key of Object.keys(raw)) {
    if (keptKeys.includes(key) || handledKeys.includes(key) || key.startsWith("x-kubernetes-")) continue;
    fail(path, `"${key}" is not allowed in a structural schema`);
  }
}

/** A refinement is dropped silently when a schema is printed, so each must have its twin for the API server. */
function requireCelTwins(schema: z.core.$ZodType, path: string): void {
  const { def } = schema._zod;
  const refinements = (def.checks ?? []).filter((check) => check._zod.def.check === "custom");
  if (refinements.length > countTwins(schema)) fail(path, "a refinement has no rule in CEL beside it");
  for (const [name, inner] of partsOf(schema, path)) requireCelTwins(inner, name);
}

function countTwins(schema: z.core.$ZodType): number {
  if (!(schema instanceof z.ZodType)) return 0;
  const rules = celRulesOf(schema).filter(({ rule }) => !rule.includes("oldSelf"));
  // These list types say that items differ.
  return rules.length + (["set", "map"].includes(String(schema.meta()?.["x-kubernetes-list-type"])) ? 1 : 0);
}

function partsOf(schema: z.core.$ZodType, path: string): [string, z.core.$ZodType][] {
  if (schema instanceof z.ZodObject) {
    return Object.entries<z.core.$ZodType>(schema.shape).map(([name, inner]) => [
      path === "" ? name : `${path}.${name}`,
      inner,
    ]);
  }
  if (schema instanceof z.ZodArray) return [[`${path}[]`, schema.element]];
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return [[path, schema.unwrap()]];
  }
  if (isLeaf(schema)) return [];
  return fail(path, `${schema._zod.def.type} is not supported by the generator`);
}

const isLeaf = (schema: z.core.$ZodType): boolean =>
  ["string", "number", "boolean", "enum", "literal", "record"].includes(schema._zod.def.type);

const asRaw = (value: unknown): Raw => (typeof value === "object" && value !== null ? (value as Raw) : {});

function fail(path: string, reason: string): never {
  throw new Error(`${path || "the schema"}: ${reason}`);
}
