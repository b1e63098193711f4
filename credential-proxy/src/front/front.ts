import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { proxyApi } from "@copepod/core/proxy-api";
import type { Logger } from "pino";
import type { ProxyLimits } from "../limits.ts";
import type { Forward } from "../model/forward.ts";
import type { RuleTable } from "../rules/rules.ts";
import { checkRequest } from "./gate.ts";
import { answerError, toRequestId } from "./refusal.ts";

/** Below it are the calls that the relay judges. */
const mailboxPrefix = "/v1/mailbox/";

export interface FrontDeps {
  readonly relay: RequestListener;
  readonly forward: Forward;
  readonly rules: { readonly current: RuleTable };
  /** Whether an `authorization` header is the session's. */
  readonly isAuthorized: (authorization: string | undefined) => boolean;
  readonly placeholderOf: (credential: string) => string;
  readonly limits: Pick<ProxyLimits, "maxHeaders">;
  readonly log: Logger;
}

/** Every request of the session comes in here: judged as HTTP first, then by whoever its path belongs to. */
export function createFront(deps: FrontDeps): RequestListener {
  return (request, response) => {
    const requestId = toRequestId(request.headers["x-request-id"]);
    // Without a listener, a connection that breaks would end the process.
    response.on("error", () => undefined);
    try {
      take(request, response, { deps, requestId });
    } catch (error) {
      const level = error instanceof CopepodError ? "info" : "error";
      deps.log[level]({ code: codeOf(error), method: request.method, requestId }, "request refused");
      answerError(request, response, { error, requestId });
    }
  };
}

/** @throws CopepodError with the code to answer */
function take(
  request: IncomingMessage,
  response: ServerResponse,
  { deps, requestId }: { readonly deps: FrontDeps; readonly requestId: string },
): void {
  if (request.rawHeaders.length > 2 * deps.limits.maxHeaders) {
    refuseHead(request, response, requestId);
    return;
  }
  const target = checkRequest(request);
  if (target.path.startsWith(mailboxPrefix)) deps.relay(request, response);
  else if (target.path === proxyApi.upstreams.path) answerUpstreams(request, response, deps);
  else deps.forward(request, response, { target, requestId });
}

function refuseHead(request: IncomingMessage, response: ServerResponse, requestId: string): void {
  const error = new CopepodError("tooLarge", "the request has too many headers");
  answerError(request, response, { error, requestId, status: 431 });
}

function answerUpstreams(request: IncomingMessage, response: ServerResponse, deps: FrontDeps): void {
  if (!deps.isAuthorized(request.headers.authorization)) {
    throw new CopepodError("unauthorized", "the request does not carry the session's placeholder");
  }
  if (request.method !== proxyApi.upstreams.method) throw new CopepodError("notFound", "this call is a POST");
  request.resume();
  const upstreams = [...deps.rules.current.routes.values()].map(({ upstream: { name, api, subscription } }) => ({
    name,
    api,
    subscription,
    placeholder: deps.placeholderOf(name),
  }));
  const body = JSON.stringify({ upstreams });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}
