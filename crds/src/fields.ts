import { z } from "zod";
import { withRule } from "./rule.ts";

/** Longest name of a resource: an RFC 1123 label, since names become parts of pod names and folders. */
const maxResourceNameLength = 63;
/** The API server's own bounds: characters before the slash of a label's key, bytes of all annotations together. */
const maxLabelPrefix = 253;
const maxAnnotationBytes = 262_144;
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
    // An unknown zone is an error inside CEL, which refuses the object. Go also takes any file of its folder for a zone.
    cel:
      "!(self in ['Local', 'Factory', 'localtime', 'posixrules']) && !self.startsWith('right/') && " +
      "!self.startsWith('posix/') && timestamp('2020-01-01T00:00:00Z').getHours(self) >= 0",
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
    .check(differ((item) => item, "must not contain the same item twice"))
    .meta({ "x-kubernetes-list-type": "set" });
}

/** A list whose items differ in their `name`; the API server checks that by the list's type, and merges by it. */
export function namedListOf<S extends z.ZodType<{ readonly name: string }>>(item: S, bounds: { max: number }) {
  return z
    .array(item)
    .max(bounds.max)
    .check(differ(({ name }) => name, "must not contain the same name twice"))
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
}

/** The problem stands at each item that repeats an earlier one, as the API server says it. */
function differ<T>(keyOfItem: (item: T) => string, message: string): z.core.CheckFn<T[]> {
  return ({ value, issues }) => {
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      if (seen.has(keyOfItem(item))) issues.push({ code: "custom", input: value, path: [index], message });
      seen.add(keyOfItem(item));
    }
  };
}

/** An object whose fields the schema does not know. */
export const freeObjectSchema = z.record(z.string(), z.unknown());

/** Name of a label or an annotation: at most 63 characters, behind a DNS name of at most 253 and a slash, if any. */
const labelKey =
  /^(([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const labelKeySchema = (toKey = (key: string) => key) =>
  z
    .string()
    .refine(
      (key) => labelKey.test(toKey(key)) && key.indexOf("/") <= maxLabelPrefix,
      "must be a label key such as copepod.dev/decided-in",
    );

const labelValueSchema = z
  .string()
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/, "must be a label value of at most 63 characters");

/** As in Go, null is the empty text. */
const orEmpty = (value: z.ZodString) => z.preprocess((given) => given ?? "", value);

const annotationsSchema = z
  .record(
    labelKeySchema((key) => key.toLowerCase()),
    orEmpty(z.string()),
  )
  .refine(
    (notes) => Buffer.byteLength(Object.entries(notes).flat().join("")) <= maxAnnotationBytes,
    `must have at most ${maxAnnotationBytes} bytes`,
  );

export const metadataSchema = z.strictObject({
  name: resourceNameSchema.describe("Name, unique within the kind and namespace."),
  namespace: resourceNameSchema.default("default").describe('Namespace. Default "default".'),
  labels: z
    .record(labelKeySchema(), orEmpty(labelValueSchema))
    .optional()
    .describe("Labels, to find and group resources."),
  annotations: annotationsSchema.optional().describe("Notes for people and tools."),
});

/** Exactly as IANA writes it: Temporal knows names in any case, and tells the right one. */
function isTimeZone(name: string): boolean {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId === name;
  } catch {
    return false;
  }
}
