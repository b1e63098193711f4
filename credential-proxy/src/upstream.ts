import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs } from "@copepod/core/limits";
import send from "undici/lib/api/api-request.js";
import Pool from "undici/lib/dispatcher/pool.js";
import type { TokenSource } from "./token.ts";

/** An answer to a long poll may be this late before the router counts as gone. */
const patienceMs = longPollMs + 10_000;

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Readable | string;
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** The router's mailbox, called as this session. */
export interface Upstream extends AsyncDisposable {
  /** @throws CopepodError `unavailable` when there is no answer; the signal's reason when it aborts. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
}

export function createUpstream(socketPath: string, token: TokenSource, connections: number): Upstream {
  const pool = new Pool("http://router", {
    socketPath,
    connections,
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
  });
  return {
    async send(request) {
      const authorization = `Bearer ${await token()}`;
      try {
        // The whole package would give the pool this method; a part of it is handed over.
        const { statusCode, headers, body } = await send.call(pool, {
          ...request,
          headers: { ...request.headers, authorization },
        });
        return { status: statusCode, headers, body };
      } catch (cause) {
        request.signal.throwIfAborted();
        throw new CopepodError("unavailable", "the router is not running or the connection to it broke", { cause });
      }
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}
