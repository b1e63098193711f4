import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { Clock } from "../clock.ts";
import type { Connection, Endpoint } from "./access.ts";
import { connectTimeoutMs, idleSocketMs, maxCallSockets, silenceMs } from "./limits.ts";
import type { ClientObserver } from "./observer.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Milliseconds until the status line must be there; `silenceMs` without it. */
  readonly answerMs?: number;
  /** A watch has a connection of its own. */
  readonly watch?: boolean;
}

/** How far an exchange came. Before `sent`, the server has surely not seen the request. */
type Phase = "connect" | "handshake" | "sent";

/** No status line came, or the body was cut. Its text names no header. */
export class ExchangeFailure extends Error {
  override readonly name = "ExchangeFailure";
  readonly phase: Phase;

  constructor(message: string, { phase, cause }: { readonly phase: Phase; readonly cause?: unknown }) {
    super(message, { cause });
    this.phase = phase;
  }
}

export interface TransportParts {
  readonly userAgent: string;
  readonly clock: Clock;
  readonly observer: ClientObserver | undefined;
}

/**
 * HTTP exchanges over kept connections. Watches don't count among those of the calls, so they can't starve them. A changed
 * endpoint (another CA, another client certificate) gets new sockets; the old ones end with what they carry.
 */
export class Transport {
  readonly #parts: TransportParts;
  #pools: Pools | undefined;

  constructor(parts: TransportParts) {
    this.#parts = parts;
  }

  /**
   * @returns once the status line is there; the body is for the caller to read or to destroy
   * @throws ExchangeFailure; the reason of the signal when that ended it
   */
  async exchange(connection: Connection, request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { clock, observer, userAgent } = this.#parts;
    const pools = this.#poolsFor(connection.endpoint);
    const { method, body } = request;
    const headers = {
      ...connection.headers,
      accept: "application/json",
      "user-agent": userAgent,
      ...(body && { "content-type": body.type, "content-length": Buffer.byteLength(body.text) }),
    };
    const startedAt = clock.monotonic();
    const report = (code: string) => {
      observer?.exchanged({ method, host: pools.url.host, code, seconds: (clock.monotonic() - startedAt) / 1_000 });
    };
    try {
      const response = await send(pools, request, { headers, signal, clock });
      report(String(response.statusCode));
      return response;
    } catch (error) {
      report("<error>");
      // Where one connection broke or hangs, those beside it are as old: the next try gets a new one.
      dropUnused(pools);
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Ends all connections, also those in use. */
  close(): void {
    this.#pools?.calls.destroy();
    this.#pools?.watches.destroy();
  }

  #poolsFor(endpoint: Endpoint): Pools {
    if (this.#pools?.endpoint === endpoint) return this.#pools;
    if (this.#pools) {
      // Those in use end after what they carry.
      this.#pools.calls.maxFreeSockets = 0;
      dropUnused(this.#pools);
    }
    this.#pools = openPools(endpoint);
    return this.#pools;
  }
}

interface Pools {
  readonly endpoint: Endpoint;
  readonly url: URL;
  readonly calls: http.Agent;
  readonly watches: http.Agent;
}

const isSecure = (url: URL): boolean => url.protocol === "https:";

function openPools(endpoint: Endpoint): Pools {
  const { ca, cert, key, servername, insecure, proxyUrl } = endpoint;
  const url = new URL(endpoint.server);
  const shared = {
    ...(proxyUrl && { proxyEnv: { http_proxy: proxyUrl, https_proxy: proxyUrl } }),
    ...(isSecure(url) && { ca, cert, key, ...(servername && { servername }), rejectUnauthorized: !insecure }),
  };
  const { Agent } = isSecure(url) ? https : http;
  const calls = new Agent({ ...shared, keepAlive: true, maxSockets: maxCallSockets, timeout: idleSocketMs });
  // All of its sockets are alike. Node would join the certificates to a name in each call, which is slow.
  calls.getName = () => url.host;
  return { endpoint, url, calls, watches: new Agent(shared) };
}

function dropUnused({ calls }: Pools): void {
  for (const socket of Object.values(calls.freeSockets).flat()) socket?.destroy();
}

interface Sending {
  readonly headers: http.OutgoingHttpHeaders;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

function send(pools: Pools, { method, path, body, ...more }: HttpRequest, sending: Sending): Promise<IncomingMessage> {
  const { headers, signal, clock } = sending;
  const { url, calls, watches } = pools;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (isSecure(url) ? https : http).request({
    ...{
      agent: more.watch ? watches : calls,
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port || (isSecure(url) ? 443 : 80),
    },
    ...{ method, path: url.pathname.replace(/\/+$/, "") + path, headers },
  });
  let phase: Phase = "connect";
  let stopConnecting = () => {};
  // Rejects by itself: a request that waits for a connection tells of its end only when it gets one.
  const end = (error: Error) => {
    stopConnecting();
    stopSilence();
    request.destroy();
    reject(new ExchangeFailure(describe(error), { phase, cause: error }));
  };
  const fail = (what: string, ms: number) => clock.after(ms, () => end(new Error(`${what} in ${ms} ms`)));
  const stopSilence = fail("no answer", more.answerMs ?? silenceMs);
  signal.addEventListener("abort", () => end(new Error("given up")));
  const onOpen = () => {
    phase = "sent";
    stopConnecting();
  };
  request.once("socket", (socket) => {
    // One that was kept, or that a proxy's tunnel was made with.
    if (!socket.connecting) return onOpen();
    stopConnecting = fail("no connection", connectTimeoutMs);
    if (isSecure(url)) {
      socket.once("connect", () => {
        phase = "handshake";
      });
    }
    socket.once(isSecure(url) ? "secureConnect" : "connect", onOpen);
  });
  request.once("response", (response) => {
    stopSilence();
    resolve(response);
  });
  // Stays for the life of the request: an error after the response must not become an uncaught one.
  request.on("error", end);
  request.end(body?.text);
  return promise;
}

/** Several addresses of one host fail with an error that has only parts. */
const describe = (error: Error): string =>
  error instanceof AggregateError ? error.errors.map(({ message }) => message).join(", ") : error.message;
