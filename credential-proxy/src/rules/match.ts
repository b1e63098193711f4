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
