import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { blobPaths } from "@copepod/core/files";
import { maxBodyBytes, maxFileBytes } from "@copepod/core/limits";
import { mailboxApi, proxyCalls } from "@copepod/core/mailbox-api";
import type { Logger } from "pino";
import { answerError, toRequestId } from "../front/refusal.ts";
import { limitBody } from "./body-limit.ts";
import type { RouterClient } from "./router-client.ts";

/** Requests that are relayed at the same time; a runner needs three. */
export const maxConcurrentRequests = 32;
/** Files of them, each way: a slow one lasts, and the runner's calls need room beside it. */
export const maxConcurrentFiles = 4;
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

/** One call that is relayed. */
export interface RelayRoute {
  readonly method: string;
  readonly matches: (url: string) => boolean;
  readonly maxBodyBytes: number;
  /** At the same time. */
  readonly maxRunning: number;
}

export interface RelayDeps {
  readonly router: RouterClient;
  /** Nothing else is relayed. */
  readonly routes: readonly RelayRoute[];
  readonly isAuthorized: (authorization: string | undefined) => boolean;
  readonly log: Logger;
}

/** Hands the runner's mailbox calls to the router, as the session. Streams both ways; keeps nothing. */
export function createRelay(deps: RelayDeps): RequestListener {
  let running = 0;
  const runningOf = new Map<RelayRoute, number>();
  const count = (route: RelayRoute, change: 1 | -1) => {
    running += change;
    runningOf.set(route, (runningOf.get(route) ?? 0) + change);
  };
  const checkRoom = (route: RelayRoute | undefined): CopepodError | undefined => {
    if (running >= maxConcurrentRequests) return tooMany(maxConcurrentRequests);
    const isFull = route && (runningOf.get(route) ?? 0) >= route.maxRunning;
    return isFull ? tooMany(route.maxRunning) : undefined;
  };
  return (request, response) => {
    const requestId = toRequestId(request.headers["x-request-id"]);
    const route = findRoute(request, deps.routes);
    const refusal = checkRoom(route) ?? refuse(request, route, deps.isAuthorized);
    if (refusal || !route) return answerError(request, response, { error: refusal, requestId });
    count(route, 1);
    relay(request, response, { router: deps.router, route, requestId })
      .catch((error: unknown) => {
        logFailure(error, request, { log: deps.log, requestId });
        answerError(request, response, { error, requestId });
      })
      .finally(() => count(route, -1));
  };
}

/** Files are streams beside the table of calls. */
const blobRoutes: readonly RelayRoute[] = [
  {
    method: "PUT",
    matches: (url) => url === blobPaths.mailbox,
    maxBodyBytes: maxFileBytes,
    maxRunning: maxConcurrentFiles,
  },
  {
    method: "GET",
    matches: (url) => /^\/[0-9a-f]{64}$/.test(afterPrefix(url, blobPaths.mailbox)),
    maxBodyBytes: 0,
    maxRunning: maxConcurrentFiles,
  },
];

/** The calls of the mailbox that a runner may make. */
export const mailboxRoutes: readonly RelayRoute[] = Object.entries(mailboxApi)
  .filter(([name]) => !proxyCalls.some((call) => call === name))
  .map(
    ([, { method, path }]): RelayRoute => ({
      method,
      matches: (url) => url === path,
      maxBodyBytes,
      maxRunning: maxConcurrentRequests,
    }),
  )
  .concat(blobRoutes);

const afterPrefix = (url: string, prefix: string): string => (url.startsWith(prefix) ? url.slice(prefix.length) : "");

const findRoute = ({ method, url = "" }: IncomingMessage, routes: readonly RelayRoute[]): RelayRoute | undefined =>
  routes.find((route) => route.method === method && route.matches(url));

function refuse(
  { headers }: IncomingMessage,
  route: RelayRoute | undefined,
  isAuthorized: RelayDeps["isAuthorized"],
): CopepodError | undefined {
  if (!isAuthorized(headers.authorization)) {
    return new CopepodError("unauthorized", "the request does not carry the session's placeholder");
  }
  if (!route) return new CopepodError("notFound", "only the calls of the mailbox can be reached here");
  if (Number(headers["content-length"] ?? 0) > route.maxBodyBytes) return tooLarge(route.maxBodyBytes);
  return undefined;
}

async function relay(
  request: IncomingMessage,
  response: ServerResponse,
  {
    router,
    route,
    requestId,
  }: { readonly router: RouterClient; readonly route: RelayRoute; readonly requestId: string },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  if (request.headers.expect !== undefined) response.writeContinue();
  const body = bodyOf(request, route);
  const headers = { ...pick(request.headers), "x-request-id": requestId };
  const path = request.url ?? "";
  const answer = await router
    .send({ method: route.method, path, headers, body, signal: gone.signal })
    .catch((error: unknown) => {
      // The client ends the body with its own error too; only ours says that the body is to blame.
      throw typeof body === "object" && body.errored instanceof CopepodError ? body.errored : error;
    });
  response.writeHead(answer.status, { "x-request-id": requestId, ...withoutHopByHop(answer.headers) });
  await pipeline(answer.body, response);
}

function bodyOf(request: IncomingMessage, { maxBodyBytes: max }: RelayRoute): Transform | string {
  if (max > 0) return limitBody(request, max, () => tooLarge(max));
  request.resume();
  return "";
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

const tooLarge = (bytes: number): CopepodError =>
  new CopepodError("tooLarge", `the body is larger than ${bytes} bytes`);
const tooMany = (most: number): CopepodError =>
  new CopepodError("unavailable", `more than ${most} requests of this kind at the same time`);
