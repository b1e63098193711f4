import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { Connection, Endpoint } from "./access.ts";
import { connectTimeoutMs, idleSocketMs, maxCallSockets, silenceMs } from "./limits.ts";
import type { ClientObserver } from "./observer.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** A watch has a connection of its own. */
  readonly watch?: boolean;
}

/** No status line came, or the body was cut. Its text names no header. */
export class ExchangeFailure extends Error {
  override readonly name = "ExchangeFailure";
  readonly phase: Phase;

  constructor(message: string, { phase, cause }: { readonly phase: Phase; readonly cause?: unknown }) {
    super(message, { cause });
    this.phase = phase;
  }
}

/** How far it came. Before `sent`, the server has surely not seen the request. */
type Phase = "connect" | "handshake" | "sent";

/**
 * HTTP exchanges over kept connections. Watches don't count among those of the calls, so they can't starve them. A changed
 * endpoint (another CA, another client certificate) gets new sockets; the old ones end with what they carry.
 */
export class Transport {
  readonly #userAgent: string;
  readonly #observer: ClientObserver | undefined;
  #pools: Pools | undefined;

  constructor(userAgent: string, observer: ClientObserver | undefined) {
    this.#userAgent = userAgent;
    this.#observer = observer;
  }

  /**
   * @returns once the status line is there; the body is for the caller to read or to destroy
   * @throws ExchangeFailure; the reason of the signal when that ended it
   */
  async exchange(connection: Connection, request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { endpoint } = connection;
    const pools = this.#poolsFor(endpoint);
    const startedAt = performance.now();
    const report = (code: string) =>
      this.#observer?.exchanged({
        method: request.method,
        host: pools.url.host,
        code,
        seconds: (performance.now() - startedAt) / 1_000,
      });
    try {
      const response = await send(pools, this.#optionsFor(pools, connection, request), { request, signal });
      report(String(response.statusCode));
      return response;
    } catch (error) {
      report("<error>");
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Ends all connections, also those in use. */
  close(): void {
    this.#pools?.calls.destroy();
    this.#pools?.watches.destroy();
    this.#pools = undefined;
  }

  #optionsFor({ url, secure, calls, watches }: Pools, connection: Connection, request: HttpRequest) {
    const { body } = request;
    return {
      agent: request.watch ? watches : calls,
      host: url.hostname,
      port: url.port || (secure ? 443 : 80),
      method: request.method,
      path: url.pathname.replace(/\/$/, "") + request.path,
      headers: {
        ...connection.headers,
        accept: "application/json",
        "user-agent": this.#userAgent,
        ...(body && { "content-type": body.type, "content-length": Buffer.byteLength(body.text) }),
      },
    };
  }

  #poolsFor(endpoint: Endpoint): Pools {
    if (this.#pools?.endpoint === endpoint) return this.#pools;
    if (this.#pools) retire(this.#pools);
    this.#pools = openPools(endpoint);
    return this.#pools;
  }
}

interface Pools {
  readonly endpoint: Endpoint;
  readonly url: URL;
  readonly secure: boolean;
  readonly calls: http.Agent;
  readonly watches: http.Agent;
}

function openPools(endpoint: Endpoint): Pools {
  const { ca, cert, key, servername, insecure, proxyUrl } = endpoint;
  const url = new URL(endpoint.server);
  const secure = url.protocol === "https:";
  const shared = {
    ...(proxyUrl && { proxyEnv: { http_proxy: proxyUrl, https_proxy: proxyUrl } }),
    ...(secure && { ca, cert, key, ...(servername && { servername }), rejectUnauthorized: !insecure }),
  };
  const { Agent } = secure ? https : http;
  return {
    endpoint,
    url,
    secure,
    calls: new Agent({ ...shared, keepAlive: true, maxSockets: maxCallSockets, timeout: idleSocketMs }),
    watches: new Agent(shared),
  };
}

/** Ends the unused connections now and the others after what they carry. */
function retire({ calls }: Pools): void {
  calls.maxFreeSockets = 0;
  for (const sockets of Object.values(calls.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

function send(
  { secure }: Pools,
  options: https.RequestOptions,
  { request: { body }, signal }: { readonly request: HttpRequest; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request({ ...options, signal });
    let phase: Phase = "connect";
    const silence = setTimeout(() => request.destroy(new Error(`no answer within ${silenceMs} ms`)), silenceMs);
    let connecting: NodeJS.Timeout | undefined;
    const settle = () => {
      clearTimeout(silence);
      clearTimeout(connecting);
    };
    const onOpen = () => {
      phase = "sent";
      clearTimeout(connecting);
    };
    request.once("socket", (socket) => {
      if (request.reusedSocket) return onOpen();
      const late = new Error(`no connection within ${connectTimeoutMs} ms`);
      connecting = setTimeout(() => request.destroy(late), connectTimeoutMs);
      if (secure) socket.once("connect", () => (phase = "handshake"));
      socket.once(secure ? "secureConnect" : "connect", onOpen);
    });
    request.once("response", (response) => {
      settle();
      resolve(response);
    });
    // Stays for the life of the request: a late error after the response must not become an uncaught one.
    request.on("error", (error) => {
      settle();
      reject(new ExchangeFailure(describe(error), { phase, cause: error }));
    });
    request.end(body?.text);
  });
}

function describe(error: Error): string {
  // Several addresses of one host fail with an error that has only parts.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : error.message;
}
