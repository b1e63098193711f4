import { CopepodError, parseInput } from "@copepod/core/errors";
import {
  connectionHeaders,
  type ProxyRules,
  proxyRulesSchema,
  type Rule,
  type UpstreamRule,
} from "@copepod/core/proxy-rules";
import { findOverlap } from "@copepod/core/rule-overlap";
import { type Asked, compileRule, type Matcher } from "./match.ts";

/** A model API, ready to be reached. */
export interface Route {
  readonly upstream: UpstreamRule;
  /** Scheme, host and port in canonical spelling. */
  readonly origin: string;
  readonly host: string;
  /** Path of the base URL, without a slash at its end. */
  readonly basePath: string;
}

export interface RuleTable {
  readonly group: string;
  /** By the name of the credential, in the order of the agent group. */
  readonly routes: ReadonlyMap<string, Route>;
  /** The rule that lets the request through, if there is one: at most one credential has it. */
  find(asked: Asked): Rule | undefined;
}

const tokenHeader = /^[a-z0-9][a-z0-9_-]*$/;
const fileName = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;
const pathPattern = /^(?:\/(?:\*|[^*/\\?#;%]*))+$|^(?:\/(?:\*|[^*/\\?#;%]+))*\/\*\*$/;

/**
 * Every mistake that could let more through than was meant is refused as a whole.
 * @throws CopepodError `invalid`
 */
export function compileRules(input: unknown): RuleTable {
  const rules = parseInput(proxyRulesSchema, input);
  const routes = new Map<string, Route>();
  for (const upstream of rules.upstreams) {
    if (routes.has(upstream.name)) throw invalid(`upstream ${upstream.name} is there twice`);
    routes.set(upstream.name, toRoute(upstream));
  }
  rules.rules.forEach(checkRule);
  checkOverlaps(rules);
  const matchers: Matcher[] = rules.rules.map(compileRule);
  return { group: rules.group, routes, find: (asked) => matchers.find((matcher) => matcher.matches(asked))?.rule };
}

function toRoute(upstream: UpstreamRule): Route {
  const url = URL.parse(upstream.baseUrl);
  const what = `baseUrl of upstream ${upstream.name}`;
  if (!url || !["http:", "https:"].includes(url.protocol)) throw invalid(`${what} is not an http or https URL`);
  if (url.username || url.password || url.search || url.hash || /[?#@\\]/.test(upstream.baseUrl)) {
    throw invalid(`${what} must be nothing but scheme, host, port and path`);
  }
  if (url.pathname !== "/" && !/^(?:\/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])+$/.test(url.pathname)) {
    throw invalid(`${what} must have a plain path without a slash at its end`);
  }
  // A dot at the end is another spelling of the same host.
  url.hostname = url.hostname.replace(/\.$/, "");
  if (url.protocol === "http:" && !upstream.private && !isLoopbackName(url.hostname)) {
    throw invalid(`${what} must be https, unless the upstream is private`);
  }
  const basePath = url.pathname === "/" ? "" : url.pathname;
  return { upstream, origin: url.origin, host: url.host, basePath };
}

const isLoopbackName = (host: string): boolean => host === "localhost" || host === "[::1]" || /^127\./.test(host);

function checkRule(rule: Rule): void {
  const what = `rule of credential ${rule.credential}`;
  const badHost = rule.hosts.find((host) => !isHostPattern(host));
  if (badHost !== undefined) {
    throw invalid(`${what}: host "${badHost}" must be exact, or *. and at least two labels, in canonical spelling`);
  }
  const badPath = rule.paths.find((path) => !pathPattern.test(path));
  if (badPath !== undefined) throw invalid(`${what}: path "${badPath}" is not a pattern of whole segments`);
  const { header, format } = rule.inject;
  if (!tokenHeader.test(header) || connectionHeaders.includes(header))
    throw invalid(`${what}: no key fits in ${header}`);
  if (!/^[ -~]*$/.test(format) || format.split("{secret}").length !== 2) {
    throw invalid(`${what}: inject.format must be printable and hold {secret} once`);
  }
  if (rule.secret && !(fileName.test(rule.secret.name) && fileName.test(rule.secret.key))) {
    throw invalid(`${what}: the names of the secret must be plain file names`);
  }
}

function isHostPattern(pattern: string): boolean {
  const isWild = pattern.startsWith("*.");
  const host = isWild ? pattern.slice(2) : pattern;
  const url = URL.parse(`https://${host}`);
  if (!url || host.endsWith(".") || host.includes("*")) return false;
  if (isWild) return url.hostname === host && /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host) && !/\.[0-9]+$/.test(host);
  // The port of one scheme is left out of a canonical URL of that scheme only.
  return url.host === host || URL.parse(`http://${host}`)?.host === host;
}

/** Two credentials for one request: nobody could say which key goes out. */
function checkOverlaps({ rules }: ProxyRules): void {
  for (const [index, rule] of rules.entries()) {
    for (const earlier of rules.slice(0, index)) {
      const where = differ(earlier, rule) ? findOverlap(earlier, rule) : undefined;
      if (where === undefined) continue;
      throw invalid(`rules of credentials ${earlier.credential} and ${rule.credential} both cover ${where}`);
    }
  }
}

const differ = (a: Rule, b: Rule): boolean =>
  a.credential !== b.credential || JSON.stringify([a.inject, a.secret]) !== JSON.stringify([b.inject, b.secret]);

const invalid = (message: string): CopepodError => new CopepodError("invalid", message);
