import { z } from "zod";
import { agentGroupSchema } from "./agent-group.ts";
import { channelSchema } from "./channel.ts";
import { credentialSchema } from "./credential.ts";
import { asDecoded, isObject } from "./decoded.ts";
import { apiVersion } from "./definition.ts";
import { definitions, type Resource } from "./kinds.ts";
import { sessionSchema } from "./session.ts";
import { userSchema } from "./user.ts";
import { wiringSchema } from "./wiring.ts";
import { workspaceSchema } from "./workspace.ts";

export interface ResourceIssue {
  /** Keys from the top of the document to the value, such as `["spec", "roles", 0, "group"]`. */
  readonly path: readonly (string | number)[];
  /** What is wrong there. */
  readonly reason: string;
}

export type ParsedResource =
  | { readonly ok: true; readonly resource: Resource }
  | { readonly ok: false; readonly issues: readonly ResourceIssue[] };

const schemas = {
  AgentGroup: agentGroupSchema,
  Session: sessionSchema,
  Channel: channelSchema,
  Wiring: wiringSchema,
  User: userSchema,
  Credential: credentialSchema,
  Workspace: workspaceSchema,
};
type Kind = keyof typeof schemas;

const unknownField = "unknown field";

/** More than this many problems of one document help nobody. */
const maxIssues = 20;

/**
 * Checks one document as the API server does, strictly, and fills in the defaults. The values of a `status` are dropped:
 * Copepod writes it, so what `copepod get -o yaml` prints can be given back.
 */
export function parseResource(document: unknown): ParsedResource {
  if (!isObject(document)) return refuse([], "must be an object with apiVersion, kind, metadata and spec");
  const { status, ...decided } = document;
  if (decided.apiVersion !== apiVersion) return refuse(["apiVersion"], `must be ${apiVersion}`);
  if (!isKind(decided.kind)) return refuse(["kind"], `must be one of ${Object.keys(schemas).join(", ")}`);
  const schema = schemas[decided.kind];
  let decoded: unknown;
  try {
    decoded = asDecoded(schema, decided);
    // Maps here would lose it without a word.
    if (/"__proto__":/.test(JSON.stringify(decoded))) return refuse([], 'must not have a key "__proto__"');
  } catch {
    return refuse([], "must not contain itself, nor be nested too deeply");
  }
  const result = schema.safeParse(Object.assign({ metadata: {} }, decoded));
  const unknown = "status" in document ? findUnknown(decided.kind, status) : [];
  const issues = [...(result.error?.issues.flatMap(toIssues) ?? []), ...unknown];
  if (result.success && issues.length === 0) return { ok: true, resource: result.data };
  return { ok: false, issues: issues.slice(0, maxIssues) };
}

/** A path as people write it: `spec.roles[0].group`. */
export function pathText(path: ResourceIssue["path"]): string {
  return path.map((key, index) => (typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`)).join("");
}

/** The first problem in one sentence, and how many more there are. */
export function describeIssues(issues: readonly ResourceIssue[]): string {
  const [first, ...more] = issues;
  if (!first) return "the resource is not valid";
  const where = pathText(first.path) || "the resource";
  return `${where}: ${first.reason}${more.length > 0 ? ` (and ${more.length} more)` : ""}`;
}

/** Fields that no status of the kind has: the API server refuses these before it drops the rest. */
function findUnknown(kind: Kind, status: unknown): ResourceIssue[] {
  const schema = definitions.find((one) => one.kind === kind)?.status ?? z.strictObject({});
  const paths = Object.keys(schema.shape).length === 0 ? [["status"]] : listUnknown(status, schema, ["status"]);
  return paths.map((path) => ({ path, reason: unknownField }));
}

/** Lists are looked into also where none belongs, as the API server does. */
function listUnknown(
  value: unknown,
  schema: z.core.$ZodType | undefined,
  path: ResourceIssue["path"],
): ResourceIssue["path"][] {
  const own = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (Array.isArray(value)) {
    const item = own instanceof z.ZodArray ? own.element : undefined;
    return value.flatMap((one, index) => listUnknown(one, item, [...path, index]));
  }
  if (!isObject(value)) return [];
  const shape: Readonly<Record<string, z.core.$ZodType>> = own instanceof z.ZodObject ? own.shape : {};
  return Object.entries(value).flatMap(([key, field]) =>
    Object.hasOwn(shape, key) ? listUnknown(field, shape[key], [...path, key]) : [[...path, key]],
  );
}

function toIssues(issue: z.core.$ZodIssue): ResourceIssue[] {
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], reason: unknownField }));
  }
  if (issue.code === "invalid_key") return [{ path, reason: issue.issues[0]?.message ?? issue.message }];
  return [{ path, reason: issue.message }];
}

const refuse = (path: ResourceIssue["path"], reason: string): ParsedResource => ({
  ok: false,
  issues: [{ path, reason }],
});

const isKind = (value: unknown): value is Kind => typeof value === "string" && Object.hasOwn(schemas, value);
