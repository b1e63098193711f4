import { isUtf8 } from "node:buffer";
import { keyOf } from "@copepod/core/addresses";
import type { Problem } from "@copepod/core/admin-api";
import type { Resource } from "@copepod/crds/kinds";
import { parseResource, pathText, type ResourceIssue } from "@copepod/crds/parse";
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";

/** Largest resource file; one of this size is read and checked in well under a second. */
export const maxFileBytes = 1024 * 1024;
/** Problems that are told of one file. */
const maxProblemsPerFile = 20;
/** Aliases that one document may expand to: a few anchors, never a bomb. */
const maxAliases = 100;

/** One resource of a file. */
export interface Entry {
  /** `<kind>/<namespace>/<name>` */
  readonly key: string;
  /** Which document of the file it is. */
  readonly index: number;
  /** Line of its first field. */
  readonly line: number;
  readonly resource: Resource;
}

export type FileContent =
  | { readonly ok: true; readonly entries: readonly Entry[] }
  | { readonly ok: false; readonly problems: readonly Omit<Problem, "file">[] };

type LocalProblem = Omit<Problem, "file">;

export const entryKey = ({ kind, metadata }: Resource): string => `${kind}/${keyOf(metadata.namespace, metadata.name)}`;

/** The resources of one file, or everything that is wrong with it: a file counts as a whole or not at all. */
export function readResourceFile(bytes: Buffer): FileContent {
  const textProblem = checkText(bytes);
  if (textProblem) return { ok: false, problems: [textProblem] };
  const lines = new LineCounter();
  const entries: Entry[] = [];
  const problems: LocalProblem[] = [];
  const documents = parseAllDocuments(bytes.toString("utf8"), { lineCounter: lines, prettyErrors: false });
  for (const [index, document] of [...documents].entries()) {
    const result = readDocument(document, index, lines);
    entries.push(...result.entries);
    problems.push(...result.problems);
  }
  problems.push(...findRepeats(entries));
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, maxProblemsPerFile) };
  return { ok: true, entries };
}

function checkText(bytes: Buffer): LocalProblem | undefined {
  if (bytes.length > maxFileBytes) return { reason: `larger than ${maxFileBytes} bytes` };
  const nul = bytes.indexOf(0);
  if (nul >= 0) return { line: lineAt(bytes, nul), reason: "contains NUL" };
  if (isUtf8(bytes)) return undefined;
  return { line: firstBadLine(bytes), reason: "is not valid UTF-8" };
}

function readDocument(document: Document, index: number, lines: LineCounter) {
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) return bad({ line: lines.linePos(fault.pos[0]).line, reason: faultText(fault) });
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return { entries: [], problems: [] };
  }
  const line = lineOf(document.contents, lines);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    return bad({ line, reason: faultText(error) });
  }
  const parsed = parseResource(value);
  if (!parsed.ok) return bad(...parsed.issues.map((issue) => toProblem(issue, document, lines)));
  const { resource } = parsed;
  if (resource.kind === "Session") {
    return bad({ line, path: "kind", reason: "sessions live in the database; Copepod makes them itself" });
  }
  return { entries: [{ key: entryKey(resource), index, line, resource }], problems: [] };
}

/** The parser recurses, and reports the end of its stack like any fault of the text. */
function faultText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return `malformed YAML: ${message.includes("call stack") ? "nested too deeply" : message}`;
}

const bad = (...problems: LocalProblem[]) => ({ entries: [], problems });

function toProblem(issue: ResourceIssue, document: Document, lines: LineCounter): LocalProblem {
  const path = pathText(issue.path);
  const line = lineOf(nodeAt(document.contents, issue.path), lines);
  return { line, ...(path === "" ? {} : { path }), reason: issue.reason };
}

/** The key or item that the path names, or the nearest thing around it that exists. */
function nodeAt(start: unknown, path: ResourceIssue["path"]): unknown {
  let found = start;
  let value = start;
  for (const key of path) {
    const step = stepInto(value, key);
    if (!step) return found;
    found = step.shown;
    value = step.value;
  }
  return found;
}

function stepInto(node: unknown, key: string | number): { shown: unknown; value: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
    return pair && { shown: pair.key, value: pair.value };
  }
  const item = isSeq(node) && typeof key === "number" ? node.items[key] : undefined;
  return item === undefined ? undefined : { shown: item, value: item };
}

const lineOf = (node: unknown, lines: LineCounter): number => lines.linePos(startOf(node)).line;

const startOf = (node: unknown): number => (isNode(node) ? ((node as Node).range?.[0] ?? 0) : 0);

function findRepeats(entries: readonly Entry[]): LocalProblem[] {
  const seen = new Map<string, number>();
  return entries.flatMap(({ key, line }) => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, line);
    return first === undefined ? [] : [{ line, path: "metadata.name", reason: `${key} is also in line ${first}` }];
  });
}

function lineAt(bytes: Buffer, end: number): number {
  let line = 1;
  for (let at = bytes.indexOf(10); at >= 0 && at < end; at = bytes.indexOf(10, at + 1)) line++;
  return line;
}

function firstBadLine(bytes: Buffer): number {
  let start = 0;
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(10, start);
    // A line feed is never part of a longer UTF-8 sequence, so each line can be checked alone.
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}
