import type { Rule } from "./proxy-rules.ts";

/** Which requests a rule covers. */
export type Coverage = Pick<Rule, "hosts" | "paths" | "methods">;

/**
 * What two rules both cover, so that nobody could say which of their keys goes out.
 * @returns the first such requests, such as `POST api.example.org/v1/*`, in patterns of the rules; undefined = none
 */
export function findOverlap(a: Coverage, b: Coverage): string | undefined {
  const method = a.methods.find((one) => b.methods.includes(one));
  const host = firstOf(a.hosts, b.hosts, meetHosts);
  const path = firstOf(a.paths, b.paths, meetPaths);
  return method === undefined || host === undefined || path === undefined ? undefined : `${method} ${host}${path}`;
}

/** What two patterns have in common, as a pattern; undefined = nothing. */
type Meet = (a: string, b: string) => string | undefined;

function firstOf(as: readonly string[], bs: readonly string[], meet: Meet): string | undefined {
  for (const a of as) {
    for (const b of bs) {
      const common = meet(a, b);
      if (common !== undefined) return common;
    }
  }
  return undefined;
}

function meetHosts(a: string, b: string): string | undefined {
  if (a === b || isBelow(a, b)) return a;
  return isBelow(b, a) ? b : undefined;
}

/** A wildcard covers names without a port only: a host with one is not below it. */
const isBelow = (host: string, pattern: string): boolean => pattern.startsWith("*.") && host.endsWith(pattern.slice(1));

function meetPaths(a: string, b: string): string | undefined {
  return meetSegments(a.split("/"), b.split("/"))?.join("/");
}

function meetSegments(as: readonly string[], bs: readonly string[]): readonly string[] | undefined {
  const [a, ...restA] = as;
  const [b, ...restB] = bs;
  if (a === undefined || b === undefined) return a === b ? [] : undefined;
  if (a === "**") return bs;
  if (b === "**") return as;
  const segment = meetSegment(a, b);
  const rest = segment === undefined ? undefined : meetSegments(restA, restB);
  return segment === undefined || rest === undefined ? undefined : [segment, ...rest];
}

/** `*` is one segment that is not empty. */
function meetSegment(a: string, b: string): string | undefined {
  if (a === b || (b === "*" && a !== "")) return a;
  return a === "*" && b !== "" ? b : undefined;
}
