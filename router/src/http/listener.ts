import { isUtf8 } from "node:buffer";
import type { Api, Handlers } from "@copepod/core/endpoint";
import { CopepodError, codeOf, parseInput, statusOf } from "@copepod/core/errors";
import { maxBodyBytes } from "@copepod/core/limits";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { RouterMetrics } from "../metrics.ts";
import { boundAddresses } from "./addresses.ts";

/** Time that a client has to send its whole request. A file may take longer, as long as it does not stand still. */
const requestTimeoutMs = 30_000;
/** Longer than any long poll, so that a keep-alive connection never closes under a client that is about to use it. */
const keepAliveTimeoutMs = 75_000;
/** A connection on which nothing moves for this long ends. */
const idleTimeoutMs = keepAliveTimeoutMs;
const maxRequestIdLength = 64;
/** Bodies of this type are files, which are read as they come. */
export const streamType = "application/octet-stream";

export interface CallContext<Caller> {
  readonly caller: Caller;
  /** Aborts when the client has gone or the router ends; made only when asked for. */
  signal(): AbortSignal;
}

export interface ListenerOptions<A extends Api, Caller> {
  readonly name: "mailbox" | "channel" | "admin";
  readonly api: A;
  readonly handlers: Handlers<A, CallContext<Caller>>;
  /** @throws CopepodError when the request may not be served at all. */
  readonly authenticate: (bearer: string | undefined) => Promise<Caller>;
  readonly makeRequestId: () => string;
  readonly log: Logger;
  readonly metrics: RouterMetrics;
  readonly ending: AbortSignal;
}

/** One HTTP server for one API. The caller adds health routes and listens. */
export function buildListener<A extends Api, Caller>(options: ListenerOptions<A, Caller>): FastifyInstance {
  const app = fastify({
    bodyLimit: maxBodyBytes,
    http: { headersTimeout: requestTimeoutMs },
    requestTimeout: 0,
    connectionTimeout: idleTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: true,
    genReqId: (request) => requestIdOf(request.headers["x-request-id"]) ?? options.makeRequestId(),
  });
  boundAddresses(app, { monotonic: () => performance.now(), isLoopbackFree: options.name === "admin" });
  endSlowBodies(app);
  parseJsonStrictly(app);
  answerErrors(app, options);
  app.addHook("onResponse", async (request, reply) => {
    options.metrics.httpRequest(options.name, request.routeOptions.url ?? "unknown", reply);
  });
  const callers = new WeakMap<FastifyRequest, { readonly caller: Caller }>();
  for (const [name, definition] of Object.entries(options.api)) {
    const handler = options.handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    app.route({
      method: definition.method,
      url: definition.path,
      // Before the body is read: who is not known takes no room.
      onRequest: async (request) => {
        callers.set(request, { caller: await options.authenticate(bearerOf(request)) });
      },
      handler: async (request, reply) => {
        const known = callers.get(request);
        if (!known) throw new Error("nobody was authenticated");
        const input = parseInput(definition.input, inputOf(request));
        return await handler(input as never, { ...known, signal: signalOf(reply, options.ending) });
      },
    });
  }
  return app;
}

function inputOf(request: FastifyRequest): Record<string, unknown> {
  const { params, query, body } = request as { params: object; query: object; body: unknown };
  if (body !== undefined && body !== null && (typeof body !== "object" || Array.isArray(body))) {
    throw new CopepodError("invalid", "the body must be a JSON object");
  }
  return { ...query, ...body, ...params };
}

export function bearerOf(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  return header?.startsWith("Bearer ") ? header.slice("Bearer ".length) : undefined;
}

function signalOf(reply: FastifyReply, ending: AbortSignal): () => AbortSignal {
  return () => {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    return AbortSignal.any([gone.signal, ending]);
  };
}

function requestIdOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && /^[\w.-]+$/.test(header) && header.length <= maxRequestIdLength
    ? header
    : undefined;
}

/** The server's own bound counts for all requests alike, so this one stands in for it where the body is no stream. */
function endSlowBodies(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ raw, headers }, reply) => {
    if (raw.complete || headers["content-type"] === streamType) return;
    const timer = setTimeout(() => raw.complete || raw.destroy(), requestTimeoutMs);
    reply.raw.once("close", () => clearTimeout(timer));
  });
}

/** JSON of broken UTF-8 would be stored with replacement characters; it is refused instead. */
function parseJsonStrictly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (_request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    if (!isUtf8(body)) return done(new CopepodError("invalid", "the body is not valid UTF-8"));
    try {
      done(null, JSON.parse(body.toString("utf8")));
    } catch (cause) {
      done(new CopepodError("invalid", "the body is not valid JSON", { cause }));
    }
  });
}

function answerErrors<A extends Api, Caller>(app: FastifyInstance, { log, name }: ListenerOptions<A, Caller>): void {
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = translate(thrown);
    const code = codeOf(error);
    if (code === "internal") log.error({ listener: name, requestId: request.id, err: thrown }, "request failed");
    if (!request.raw.complete) readToTheEnd(request, reply);
    const message = error instanceof CopepodError ? error.message : "a fault inside Copepod; see the log";
    return await reply.code(statusOf(code)).send({ error: { code, message, requestId: request.id } });
  });
  app.setNotFoundHandler(async (request, reply) => {
    const message = `no such call: ${request.method} ${request.url.slice(0, 200)}`;
    return await reply.code(404).send({ error: { code: "notFound", message, requestId: request.id } });
  });
}

/** A connection that is closed while the client still writes shows it a broken pipe instead of the answer. */
function readToTheEnd(request: FastifyRequest, reply: FastifyReply): void {
  request.raw.resume();
  reply.header("connection", "keep-alive");
}

/** What the server library itself refuses, in our codes. */
function translate(thrown: unknown): unknown {
  if (thrown instanceof CopepodError || !(thrown instanceof Error)) return thrown;
  const code = "code" in thrown ? thrown.code : undefined;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new CopepodError("tooLarge", `the body is larger than ${maxBodyBytes} bytes`);
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new CopepodError("invalid", "the body must be sent as application/json");
  }
  const status = "statusCode" in thrown ? thrown.statusCode : undefined;
  if (typeof status === "number" && status < 500) return new CopepodError("invalid", thrown.message);
  return thrown;
}
