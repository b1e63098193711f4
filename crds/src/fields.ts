import { z } from "zod";
import { withRule } from "./rule.ts";

/** Longest name of a resource: an RFC 1123 label, since names become parts of pod names and folders. */
const maxResourceNameLength = 63;
const maxLabels = 64;
/** Longest value of an annotation, in characters. */
const maxAnnotationLength = 4_096;
const maxTimeZoneLength = 64;

export const resourceNameSchema = z
  .string()
  .min(1)
  .max(maxResourceNameLength)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must be lower case letters, digits and dashes (RFC 1123)");

/** A bounded text in one line, without control characters. */
export const lineSchema = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^\P{Cc}*$/u, "must not contain control characters");

/** A bounded text of several lines, without NUL and its like. */
export const textSchema = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^[\P{Cc}\t\n\r]*$/u, "must not contain control characters other than tab and line feed");

export const countSchema = (min: number, max: number) => z.int32().min(min).max(max);

/** A time in a status: RFC 3339, UTC. */
export const timeSchema = z.iso.datetime().max(40);

export const timeZoneSchema = withRule(
  z
    .string()
    .max(maxTimeZoneLength)
    .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/, 'must be an IANA time zone such as "Europe/Berlin"'),
  {
    // An unknown zone is an error inside CEL, which refuses the object.
    cel: "timestamp('2020-01-01T00:00:00Z').getHours(self) >= 0",
    message: 'must be an IANA time zone such as "Europe/Berlin"',
    holds: isTimeZone,
  },
);

/** A list whose items differ; the API server checks that by the list's type. */
export function setOf<S extends z.ZodType<string>>(item: S, bounds: { min: number; max: number }) {
  return z
    .array(item)
    .min(bounds.min)
    .max(bounds.max)
    .refine((items) => new Set(items).size === items.length, "must not contain the same item twice")
    .meta({ "x-kubernetes-list-type": "set" });
}

/** A list whose items differ in their `name`; the API server checks that by the list's type, and merges by it. */
export function namedListOf<S extends z.ZodType<{ readonly name: string }>>(item: S, bounds: { max: number }) {
  return z
    .array(item)
    .max(bounds.max)
    .refine(
      (items) => new Set(items.map(({ name }) => name)).size === items.length,
      "must not contain the same name twice",
    )
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
}

/** An object whose fields the schema does not know. */
export const freeObjectSchema = z.record(z.string(), z.unknown());

const labelKeySchema = z
  .string()
  .max(317)
  .regex(
    /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    "must be a label key such as copepod.dev/decided-in",
  );

const labelValueSchema = z
  .string()
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/, "must be a label value of at most 63 characters");

const limitedMap = <V extends z.ZodType>(value: V) =>
  z
    .record(labelKeySchema, value)
    .refine((map) => Object.keys(map).length <= maxLabels, `must have at most ${maxLabels} entries`);

export const metadataSchema = z.strictObject({
  name: resourceNameSchema.describe("Name, unique within the kind and namespace."),
  namespace: resourceNameSchema.default("default").describe('Namespace. Default "default".'),
  labels: limitedMap(labelValueSchema).optional().describe("Labels, to find and group resources."),
  annotations: limitedMap(textSchema(maxAnnotationLength)).optional().describe("Notes for people and tools."),
});

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
