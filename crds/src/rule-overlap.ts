import type { Rule } from "@copepod/core/proxy-rules";

/** The first request that two tables both claim: which credential of `others`, and where. */
export function findOverlap(
  rules: readonly Rule[],
  others: readonly Rule[],
): { readonly with: string; readonly where: string } | undefined {
  for (const rule of rules) {
    for (const other of others) {
      const where = overlapOf(rule, other);
      if (where !== undefined) return { with: other.credential, where };
    }
  }
  return undefined;
}

function overlapOf(a: Rule, b: Rule): string | undefined {
  const method = a.methods.find((one) => b.methods.includes(one));
  const host = a.hosts.find((one) => b.hosts.some((other) => hostsMeet(one, other)));
  const path = a.paths.find((one) => b.paths.some((other) => pathsMeet(one, other)));
  return method && host && path ? `${method} ${host}${path}` : undefined;
}

function hostsMeet(a: string, b: string): boolean {
  return a === b || isBelow(a, b) || isBelow(b, a);
}

/** A pattern with `*.` has no port; it is held to meet a host on any. */
function isBelow(host: string, pattern: string): boolean {
  if (!pattern.startsWith("*.")) return false;
  return host.replace(/:[0-9]+$/, "").endsWith(pattern.slice(1));
}

function pathsMeet(a: string, b: string): boolean {
  return segmentsMeet(a.split("/").slice(1), b.split("/").slice(1));
}

function segmentsMeet([a, ...restA]: readonly string[], [b, ...restB]: readonly string[]): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a === "**" || b === "**") return true;
  return (a === b || (a === "*" && b !== "") || (b === "*" && a !== "")) && segmentsMeet(restA, restB);
}
