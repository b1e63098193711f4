import { Readable } from "node:stream";
import type { SendBytes } from "@copepod/core/blobs";
import type { Fetch } from "@copepod/core/endpoint";
import { longPollMs } from "@copepod/core/limits";
import { Agent, request } from "undici";

/** An answer to a long poll may be this late before the connection counts as dead. */
const patienceMs = longPollMs + 15_000;
/** Longer than the time between two heartbeats, so that the runner always has a connection. */
const keepAliveMs = 60_000;

export interface SocketFetch extends AsyncDisposable {
  readonly fetch: Fetch;
  readonly sendBytes: SendBytes;
}

/** HTTP over one Unix socket. Ends its connections when disposed. */
export function createSocketFetch(socketPath: string): SocketFetch {
  const dispatcher = new Agent({
    connect: { socketPath },
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
  });
  return {
    async sendBytes(url, { body, ...init }) {
      const sent = body === undefined ? {} : { body: Readable.from(body, { objectMode: false }) };
      const response = await request(url, { dispatcher, ...init, ...sent });
      return { status: response.statusCode, body: response.body };
    },
    async fetch(url, { method, headers, body, signal }) {
      const response = await request(url, {
        dispatcher,
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      });
      return { status: response.statusCode, text: () => response.body.text() };
    },
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}
