import { adminApi } from "@copepod/core/admin-api";
import { channelApi } from "@copepod/core/channel-api";
import type { Api, Endpoint } from "@copepod/core/endpoint";
import { blobPaths } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { mailboxApi } from "@copepod/core/mailbox-api";
import { supervisorApi } from "@copepod/core/supervisor-api";
import { z } from "zod";
import { code, pageHead, table } from "./markdown.ts";

const octetStream = "application/octet-stream";

type Shape = Readonly<Record<string, unknown>>;

interface Section {
  readonly title: string;
  readonly about: string;
  /** What is no call of the table. */
  readonly beside?: string;
  readonly api: Api;
}

const sections: readonly Section[] = [
  {
    title: "Admin API",
    about: "For the command line and the terminal chat. A Unix socket of the run folder.",
    beside: aboutFiles(blobPaths.admin, "any file"),
    api: adminApi,
  },
  {
    title: "Mailbox API",
    about: "Between runner, credential-proxy and router. The token decides the session.",
    beside: aboutFiles(blobPaths.mailbox, "files that the session has uploaded or that its messages have"),
    api: mailboxApi,
  },
  {
    title: "Channel API",
    about: "Between adapter host and router. The token decides the channel.",
    api: channelApi,
  },
  {
    title: "Supervisor API",
    about: "Between router and supervisor: which sessions should be awake, and which run.",
    api: supervisorApi,
  },
];

/** Files are no JSON, so they are no calls of a table. */
function aboutFiles(path: string, whose: string): string {
  return (
    `Files are streams beside the calls: ${code(`PUT ${path}`)} takes the bytes of one as ${code(octetStream)}, at most ` +
    `${maxFileBytes}, and answers ${code('{"blob": "<hex sha256>", "bytes": <count>}')}; ` +
    `${code(`GET ${path}/<blob>`)} answers the bytes of ${whose}.`
  );
}

/** The page about all calls between programs. */
export function apiPage(): string {
  return [
    ...pageHead("APIs", "the endpoint tables in core/src"),
    "HTTP with JSON bodies. Parts of the path and, for GET, the query come from the input; for other methods the rest of",
    "the input is the body. Errors: see [errors.md](errors.md). Times are UTC milliseconds.",
    "",
    ...sections.flatMap(({ title, about, beside, api }) => [
      `## ${title}`,
      "",
      about,
      "",
      ...(beside ? [beside, ""] : []),
      ...Object.entries(api).flatMap(([name, one]) => describeEndpoint(name, one)),
    ]),
  ].join("\n");
}

export function describeEndpoint(name: string, { method, path, summary, input, output }: Endpoint): string[] {
  return [
    `### ${name}`,
    "",
    `${code(`${method} ${path}`)}: ${summary}`,
    "",
    ...fieldTable("Input", toShape(input, "input")),
    ...fieldTable("Output", toShape(output, "output")),
  ];
}

const toShape = (schema: z.ZodType, io: "input" | "output"): Shape =>
  z.toJSONSchema(schema, { io, reused: "inline", unrepresentable: "any" });

function fieldTable(title: string, shape: Shape): string[] {
  const rows = listFields(shape, "");
  if (rows.length === 0) return [`${title}: nothing.`, ""];
  return table([title, "Type", "Bounds"], rows);
}

function listFields(shape: Shape, path: string): string[][] {
  const required = Array.isArray(shape.required) ? shape.required : [];
  return Object.entries(asShape(shape.properties)).flatMap(([name, value]) => {
    const child = asShape(value);
    const isOptional = !required.includes(name) && child.default === undefined;
    const row = [code(path + name), `${typeText(child)}${isOptional ? ", optional" : ""}`, boundsText(child)];
    return [row, ...listInner(child, path + name)];
  });
}

function listInner(child: Shape, path: string): string[][] {
  if (child.items !== undefined) return listFields(asShape(child.items), `${path}[].`);
  return listFields(child, `${path}.`);
}

function typeText(shape: Shape): string {
  if (Array.isArray(shape.enum)) return shape.enum.map((value) => code(String(value))).join(", ");
  if (shape.const !== undefined) return code(String(shape.const));
  if (shape.items !== undefined) return `list of ${typeText(asShape(shape.items))}`;
  const variants = shape.oneOf ?? shape.anyOf;
  if (Array.isArray(variants)) return `object, ${variants.map(kindOf).join(", ")}`;
  return typeof shape.type === "string" ? shape.type : "anything";
}

/** What tells the variants of a union apart. */
const kindOf = (variant: unknown): string => code(String(asShape(asShape(asShape(variant).properties).kind).const));

function boundsText(shape: Shape): string {
  const parts = [
    shape.default === undefined ? "" : `default ${code(JSON.stringify(shape.default))}`,
    range(shape.minimum ?? shape.exclusiveMinimum, shape.maximum, ""),
    range(shape.minLength, shape.maxLength, " characters"),
    range(shape.minItems, shape.maxItems, " items"),
  ];
  return parts.filter((part) => part !== "").join("; ");
}

function range(from: unknown, to: unknown, unit: string): string {
  const low = isMeant(from) ? String(from) : undefined;
  const high = isMeant(to) ? String(to) : undefined;
  if (low !== undefined && high !== undefined) return `${low} to ${high}${unit}`;
  if (high !== undefined) return `at most ${high}${unit}`;
  return low === undefined ? "" : `at least ${low}${unit}`;
}

/** zod bounds every integer by what a number can hold exactly. */
const isMeant = (bound: unknown): boolean => typeof bound === "number" && Math.abs(bound) < Number.MAX_SAFE_INTEGER;

const asShape = (value: unknown): Shape => (typeof value === "object" && value !== null ? (value as Shape) : {});
