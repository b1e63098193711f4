import type { IncomingMessage } from "node:http";
import { CopepodError } from "@copepod/core/errors";

/** Where a request wants to go, in the one way it can be read. */
export interface Target {
  /** Begins with one slash. */
  readonly path: string;
  /** What follows the question mark; absent = there is none. */
  readonly query: string | undefined;
}

const refusedMethods = ["CONNECT", "TRACE", "TRACK"];
const bodilessMethods = ["GET", "HEAD", "OPTIONS"];

/** Host names and addresses, with a port; no user, no space. */
const plainHost = /^[a-z0-9._-]+(:[0-9]{1,5})?$|^\[[0-9a-f:.]+\](:[0-9]{1,5})?$/i;

/** Dots, slashes, backslashes and controls in disguise, once or several times over. */
const disguised = /%(?:25)*(?:2e|2f|5c|3b|23|[01][0-9a-f]|7f)/i;
/** An empty or dot segment, and what some servers cut off or turn into a slash. */
const ambiguous = /\/\/|\/\.{1,2}(?:\/|$)|[\\;#]|%(?![0-9a-f]{2})/i;

/**
 * Refuses every request that two parsers could read differently, before anything else looks at it. Node's own parser
 * has refused the rest (duplicate lengths, odd white space, controls).
 * @throws CopepodError with the code to answer
 */
export function checkRequest(request: IncomingMessage): Target {
  checkMethod(request);
  checkHeaders(request);
  return readTarget(request.url ?? "");
}

function checkMethod({ method = "", headers }: IncomingMessage): void {
  if (refusedMethods.includes(method)) throw methodRefused(method);
  if (headers.upgrade !== undefined) throw upgradeRefused();
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  if (hasBody && bodilessMethods.includes(method)) throw new CopepodError("invalid", `${method} takes no body`);
}

function checkHeaders({ rawHeaders, httpVersion, headers }: IncomingMessage): void {
  if (countOf(rawHeaders, "host") !== 1 || !plainHost.test(headers.host ?? "")) {
    throw new CopepodError("targetAmbiguous", "the request must have exactly one Host header, with nothing but a host");
  }
  const coding = headers["transfer-encoding"];
  if (coding === undefined) return;
  const isPlain = coding.toLowerCase() === "chunked" && countOf(rawHeaders, "transfer-encoding") === 1;
  if (!isPlain || httpVersion !== "1.1") {
    throw new CopepodError("invalid", "the only transfer encoding is chunked, once, and with HTTP/1.1");
  }
}

function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index];
    if (given?.length === name.length && given.toLowerCase() === name) count++;
  }
  return count;
}

function readTarget(url: string): Target {
  if (!url.startsWith("/")) throw new CopepodError("targetAmbiguous", "the target must be a path that begins with /");
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  if (ambiguous.test(path) || disguised.test(path) || url.includes("#") || !isText(path)) {
    throw new CopepodError(
      "targetAmbiguous",
      "the path must be plain: no empty or dot segments, encoded slashes or dots, backslashes, semicolons, fragments, or bytes that are not UTF-8",
    );
  }
  return { path, query: mark < 0 ? undefined : url.slice(mark + 1) };
}

/** Bytes that are not UTF-8 are a dot or a slash to some servers: overlong forms. */
function isText(path: string): boolean {
  if (!path.includes("%")) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

export const methodRefused = (method: string): CopepodError =>
  new CopepodError("methodRefused", `${method} is never passed on: it could show the key`);

export const upgradeRefused = (): CopepodError =>
  new CopepodError("upgradeRefused", "WebSockets and other upgrades are not passed on; use plain HTTP");
