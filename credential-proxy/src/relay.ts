import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { CopepodError, codeOf, type ErrorCode, statusOf } from "@copepod/core/errors";
import { maxBodyBytes } from "@copepod/core/limits";
import type { Logger } from "pino";
import { limitBody } from "./body-limit.ts";
import type { Upstream } from "./upstream.ts";

/** Requests that are relayed at the same time; a runner needs three. */
export const maxConcurrentRequests = 32;
/** Longest request id that is taken over from the caller. */
const maxRequestIdLength = 128;

/** All that the router needs to see of a request. The caller's own authorization is not among it. */
const forwardedHeaders = ["accept", "content-length", "content-type", "traceparent"];
/** Headers about one connection, not about the answer. */
const hopByHopHeaders = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

export interface RelayDeps {
  readonly upstream: Upstream;
  /** Paths that are relayed; nothing else is. All of them are POST. */
  readonly paths: ReadonlySet<string>;
  readonly isAuthorized: (authorization: string | undefined) => boolean;
  readonly log: Logger;
}

/** Hands the runner's mailbox calls to the router, as the session. Streams both ways; keeps nothing. */
export function createRelay(deps: RelayDeps): RequestListener {
  let running = 0;
  return (request, response) => {
    const requestId = toRequestId(request.headers["x-request-id"]);
    const refusal = running >= maxConcurrentRequests ? tooMany() : refuse(request, deps);
    if (refusal) return answerError(request, response, { error: refusal, requestId });
    running++;
    relay(request, response, { ...deps, requestId })
      .catch((error: unknown) => {
        logFailure(error, request, { log: deps.log, requestId });
        answerError(request, response, { error, requestId });
      })
      .finally(() => running--);
  };
}

function refuse(request: IncomingMessage, { isAuthorized, paths }: RelayDeps): CopepodError | undefined {
  if (!isAuthorized(request.headers.authorization)) {
    return new CopepodError("unauthorized", "the request does not carry the session's placeholder");
  }
  if (request.method !== "POST" || !paths.has(request.url ?? "")) {
    return new CopepodError("notFound", "only the calls of the mailbox can be reached here");
  }
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) return tooLarge();
  return undefined;
}

async function relay(
  request: IncomingMessage,
  response: ServerResponse,
  { upstream, requestId }: RelayDeps & { readonly requestId: string },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const body = limitBody(request, maxBodyBytes, tooLarge);
  const headers = { ...pick(request.headers), "x-request-id": requestId };
  const path = request.url ?? "";
  const answer = await upstream
    .send({ method: "POST", path, headers, body, signal: gone.signal })
    .catch((error: unknown) => {
      // The client ends the body with its own error too; only ours says that the body is to blame.
      throw body.errored instanceof CopepodError ? body.errored : error;
    });
  response.writeHead(answer.status, { "x-request-id": requestId, ...withoutHopByHop(answer.headers) });
  await pipeline(answer.body, response);
}

function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  { error, requestId }: { readonly error: unknown; readonly requestId: string },
): void {
  // The answer has begun: only a broken connection can still say that it is not whole.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const code: ErrorCode = codeOf(error);
  const message = error instanceof CopepodError ? error.message : "a fault inside the credential-proxy";
  const body = JSON.stringify({ error: { code, message, requestId } });
  // What the caller still sends is not read, so its connection can't be used again.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(statusOf(code), {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
    ...close,
  });
  response.end(body);
}

/** Only the code and the path: an error of the connection may hold headers, and they hold tokens. */
function logFailure(
  error: unknown,
  request: IncomingMessage,
  { log, requestId }: { readonly log: Logger; readonly requestId: string },
): void {
  const code = codeOf(error);
  log[code === "internal" ? "debug" : "info"]({ code, path: request.url, requestId }, "request not relayed");
}

function pick(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    forwardedHeaders.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHopHeaders, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

function toRequestId(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[\x21-\x7e]+$/.test(given) && given.length <= maxRequestIdLength
    ? given
    : randomUUID();
}

const tooLarge = (): CopepodError => new CopepodError("tooLarge", `the body is larger than ${maxBodyBytes} bytes`);
const tooMany = (): CopepodError =>
  new CopepodError("unavailable", `more than ${maxConcurrentRequests} requests at the same time`);
