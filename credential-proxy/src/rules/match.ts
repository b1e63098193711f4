import type { Rule } from "@copepod/core/proxy-rules";

/** What a request asks for, after everything ambiguous was refused. */
export interface Asked {
  /** Lower case, with the port unless it is the scheme's own. */
  readonly host: string;
  /** On that host, without the query. */
  readonly path: string;
  readonly method: string;
}

export interface Matcher {
  readonly rule: Rule;
  matches(asked: Asked): boolean;
}

/** The one place that knows which requests a rule covers: what it does not match is refused, and gets no key. */
export function compileRule(rule: Rule): Matcher {
  const methods = new Set(rule.methods);
  const hosts = new Set(rule.hosts);
  const suffixes = rule.hosts.filter((host) => host.startsWith("*.")).map((host) => host.slice(1));
  const paths = new RegExp(`^(?:${rule.paths.map(toPattern).join("|")})$`);
  return {
    rule,
    matches: ({ host, path, method }) =>
      methods.has(method) &&
      (hosts.has(host) || suffixes.some((suffix) => host.endsWith(suffix) && host.length > suffix.length)) &&
      paths.test(path),
  };
}

/** `*` is one segment; `/**` at the end is everything below. */
function toPattern(path: string): string {
  const isOpen = path.endsWith("/**");
  const segments = (isOpen ? path.slice(0, -"/**".length) : path).split("/");
  const fixed = segments.map((segment) => (segment === "*" ? "[^/]+" : RegExp.escape(segment))).join("/");
  return isOpen ? `${fixed}/.*` : fixed;
}

/** Whether some request is covered by both rules. */
export function rulesMeet(a: Rule, b: Rule): boolean {
  return (
    a.methods.some((method) => b.methods.includes(method)) &&
    a.hosts.some((host) => b.hosts.some((other) => hostsMeet(host, other))) &&
    a.paths.some((path) => b.paths.some((other) => segmentsMeet(path.split("/"), other.split("/"))))
  );
}

function hostsMeet(a: string, b: string): boolean {
  return a === b || isBelow(a, b) || isBelow(b, a);
}

const isBelow = (host: string, pattern: string): boolean => pattern.startsWith("*.") && host.endsWith(pattern.slice(1));

function segmentsMeet([a, ...restA]: readonly string[], [b, ...restB]: readonly string[]): boolean {
  if (a === "**" || b === "**") return a !== undefined && b !== undefined;
  if (a === undefined || b === undefined) return a === b;
  return (a === b || (a === "*" && b !== "") || (b === "*" && a !== "")) && segmentsMeet(restA, restB);
}
