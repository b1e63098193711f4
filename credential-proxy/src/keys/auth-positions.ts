import { CopepodError } from "@copepod/core/errors";
import { connectionHeaders } from "@copepod/core/proxy-rules";

/** Names are compared without these and in lower case: servers disagree about which of them are the same. */
const separators = /[-_.]/g;
const fold = (name: string): string => name.toLowerCase().replace(separators, "");

/** The name of a header, and what becomes of it. */
interface Judged {
  readonly folded: string;
  readonly kind: "credential" | "dropped" | "kept";
}

/** Those, and what old clients and those of HTTP/2 say about a connection. */
const foldedConnectionHeaders = new Set([...connectionHeaders, "proxy-connection", "http2-settings"].map(fold));

/** Could make a server take another method, path or host than the one that was judged. */
const steeringHeaders = new Set(
  ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"]
    .concat(["forwarded", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri", "x-original-host", "x-host"])
    .map(fold),
);

const credentialHeaders =
  /^(cookie2?|proxyauth.*|x?auth|x?token|x?key|authentication)$|(apikey|authorization|authtoken|accesstoken|privatetoken|sessiontoken|securitytoken|subscriptionkey|credentials?|secret|password|signature)$/;

/** Clients use a few names over and over; whoever sends thousands of others gains nothing by it. */
const judgedNames = new Map<string, Judged>();
const maxJudgedNames = 500;

function judge(name: string): Judged {
  const known = judgedNames.get(name);
  if (known) return known;
  const folded = fold(name);
  const isDropped = foldedConnectionHeaders.has(folded) || steeringHeaders.has(folded);
  const kind = credentialHeaders.test(folded) ? "credential" : isDropped ? "dropped" : "kept";
  const judged: Judged = { folded, kind };
  if (judgedNames.size >= maxJudgedNames) judgedNames.clear();
  judgedNames.set(name, judged);
  return judged;
}

const credentialParameters =
  /^(x?key|x?token|x?auth|sig|jwt|bearer|cookie|passwd|pwd)$|(apikey|authorization|authtoken|accesstoken|idtoken|refreshtoken|privatetoken|sessiontoken|securitytoken|subscriptionkey|credentials?|secret|password|signature)$/;

/** Headers in which clients of the model APIs send their key. */
const placeholderHeaders = ["x-api-key", "authorization"];

export interface AuthCheck {
  /** Whether a value is the placeholder of the credential that is asked for. */
  readonly isPlaceholder: (value: string) => boolean;
  /** The header that the key goes into, in lower case. */
  readonly injectHeader: string;
}

/**
 * The headers of a request without everything that could hold a key, that is about the connection, or that steers.
 * @param rawHeaders name, value, name, value …
 * @returns in the same shape
 * @throws CopepodError `credentialForeign`, or `unauthorized` when the placeholder is nowhere
 */
export function cleanHeaders(rawHeaders: readonly string[], check: AuthCheck): string[] {
  const injected = judge(check.injectHeader).folded;
  const listed = connectionListed(rawHeaders);
  const kept: string[] = [];
  let isAuthorized = false;
  forEachHeader(rawHeaders, (name, value) => {
    const { folded, kind } = judge(name);
    if (kind === "credential" || folded === injected) {
      const authenticates = judgeHeader(name, value, check);
      isAuthorized ||= authenticates;
    } else if (kind === "kept" && !listed?.has(name.toLowerCase())) kept.push(name, value);
  });
  if (!isAuthorized) throw missing();
  return kept;
}

/** @returns whether the header authenticates the caller. @throws CopepodError `credentialForeign` */
function judgeHeader(name: string, value: string, { isPlaceholder }: AuthCheck): boolean {
  const lower = name.toLowerCase();
  const given = lower === "authorization" ? value.replace(/^bearer(?: +|$)/i, "") : value;
  if (given === "") return false;
  if (!isPlaceholder(given)) throw foreign(`the header ${lower}`);
  return placeholderHeaders.includes(lower);
}

/**
 * The query without the parameters that could hold a key.
 * @throws CopepodError `credentialForeign`
 */
export function cleanQuery(query: string, { isPlaceholder }: AuthCheck): string {
  return (
    query
      .split("&")
      // A semicolon separates parameters for some servers.
      .filter((part) => part.split(";").every((piece) => !isCredential(piece, isPlaceholder)))
      .join("&")
  );
}

function isCredential(parameter: string, isPlaceholder: AuthCheck["isPlaceholder"]): boolean {
  const [entry] = new URLSearchParams(parameter);
  // `key[]` and `auth[key]` reach some servers as `key`.
  const names = entry?.[0].split(/[[\]]+/) ?? [];
  if (!entry || !names.some((name) => credentialParameters.test(fold(name)))) return false;
  if (entry[1] !== "" && !isPlaceholder(entry[1])) throw foreign("a parameter of the query");
  return true;
}

function connectionListed(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let listed: Set<string> | undefined;
  forEachHeader(rawHeaders, (name, value) => {
    if (name.toLowerCase() !== "connection") return;
    listed ??= new Set();
    for (const option of value.split(",")) listed.add(option.trim().toLowerCase());
  });
  return listed;
}

function forEachHeader(rawHeaders: readonly string[], visit: (name: string, value: string) => void): void {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    visit(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
}

const missing = (): CopepodError =>
  new CopepodError(
    "unauthorized",
    "the request lacks the placeholder that the session was given for this credential (x-api-key, or Authorization: Bearer)",
  );

const foreign = (where: string): CopepodError =>
  new CopepodError(
    "credentialForeign",
    `${where} holds something else than the placeholder that the session was given for this credential`,
  );
