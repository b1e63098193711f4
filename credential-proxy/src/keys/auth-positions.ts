import { CopepodError } from "@copepod/core/errors";
import { connectionHeaders } from "@copepod/core/proxy-rules";

/**
 * Names are compared by their letters and digits, in lower case: servers disagree about which of them are the same, and
 * some cut off spaces and control characters.
 */
const fold = (name: string): string =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");

/** What a folded name holds when some server could take its value for a key. */
const credentialName = /key|token|auth|secret|passw|credential|cookie|jwt|bearer|signature|session|(?:sig|pwd)$/;
/** What clients send under such a name, the harnesses above all, and nobody takes for a key. */
const harmlessNames = new Set(
  ["session-id", "x-session-id", "x-session-affinity", "x-parent-session-id", "x-claude-code-session-id"]
    .concat(["idempotency-key", "max-tokens", "page-token"])
    .map(fold),
);
const isCredentialName = (folded: string): boolean => credentialName.test(folded) && !harmlessNames.has(folded);

/** The name of a header, and what becomes of it. */
interface Judged {
  readonly folded: string;
  readonly kind: "credential" | "dropped" | "kept";
}

/** Those, and what old clients and those of HTTP/2 say about a connection. */
const foldedConnectionHeaders = new Set([...connectionHeaders, "proxy-connection", "http2-settings"].map(fold));

/** Could make a server take another method, path or host than the one that was judged, or cut its answer. */
const steeringHeaders = new Set(
  ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"]
    .concat(["forwarded", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri", "x-original-host", "x-host"])
    // Of a part of an answer, nobody can say whether it is a part of the key.
    .concat(["range", "if-range", "request-range"])
    .map(fold),
);
/** Beginnings of headers that tell a gateway which model API to ask, and with what. */
const gatewayHeaders = /^(?:x?portkey|x?helicone|x?litellm|cfaig)/;

/** Clients use a few names over and over; whoever sends thousands of others gains nothing by it. */
const judgedNames = new Map<string, Judged>();
const maxJudgedNames = 500;

function judge(name: string): Judged {
  const known = judgedNames.get(name);
  if (known) return known;
  const folded = fold(name);
  const isDropped = foldedConnectionHeaders.has(folded) || steeringHeaders.has(folded) || gatewayHeaders.test(folded);
  const kind = isCredentialName(folded.replace(gatewayHeaders, "")) ? "credential" : isDropped ? "dropped" : "kept";
  const judged: Judged = { folded, kind };
  if (judgedNames.size >= maxJudgedNames) judgedNames.clear();
  judgedNames.set(name, judged);
  return judged;
}

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
  if (!entry || !isCredentialName(fold(entry[0]))) return false;
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
