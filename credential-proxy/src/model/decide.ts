import type { IncomingMessage } from "node:http";
import { CopepodError } from "@copepod/core/errors";
import type { Rule } from "@copepod/core/proxy-rules";
import type { Target } from "../front/gate.ts";
import { cleanHeaders, cleanQuery } from "../keys/auth-positions.ts";
import type { Route, RuleTable } from "../rules/rules.ts";

/** A request that may go out, but for the key. */
export interface Decision {
  readonly route: Route;
  readonly rule: Rule;
  readonly method: string;
  /** On the upstream's host, with what is left of the query. */
  readonly path: string;
  /** name, value, name, value … without anything that could hold a key. */
  readonly headers: readonly string[];
}

/** Longest part of a path that is repeated to the client. */
const maxQuotedLength = 60;

/** @param isPlaceholder whether the value is the placeholder of the credential; takes the same time for every value */
export function decide(
  { method = "", rawHeaders }: Pick<IncomingMessage, "method" | "rawHeaders">,
  target: Target,
  {
    table,
    isPlaceholder,
  }: { readonly table: RuleTable; readonly isPlaceholder: (credential: string, value: string) => boolean },
): Decision {
  const end = target.path.indexOf("/", 1);
  const name = target.path.slice(1, end < 0 ? undefined : end);
  const route = table.routes.get(name);
  if (!route) throw unknown(name);
  const path = `${route.basePath}${end < 0 ? "" : target.path.slice(end)}` || "/";
  const rule = table.find({ host: route.host, path, method });
  const check = {
    isPlaceholder: (value: string) => isPlaceholder(name, value),
    injectHeader: rule?.inject.header ?? "authorization",
  };
  const headers = cleanHeaders(rawHeaders, check);
  const query = target.query === undefined ? "" : cleanQuery(target.query, check);
  if (!rule || rule.credential !== name) throw notAllowed(name, method, path);
  return { route, rule, method, path: query === "" ? path : `${path}?${query}`, headers };
}

const unknown = (name: string): CopepodError =>
  new CopepodError("upstreamUnknown", `no credential of the agent group has the base URL "/${quote(name)}"`);

const notAllowed = (name: string, method: string, path: string): CopepodError =>
  new CopepodError("requestNotAllowed", `credential ${name} does not allow ${method} ${quote(path)}`);

const quote = (text: string): string => (text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text);
