import { type IncomingMessage, request } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { SendBytes } from "@copepod/core/blobs";
import type { Fetch } from "@copepod/core/endpoint";

export interface TunnelHttp {
  readonly fetch: Fetch;
  readonly sendBytes: SendBytes;
}

export interface TunnelHttpParts {
  /** A new connection to the other side. */
  open(): Promise<Duplex>;
  /** Bearer token, for each request. */
  token(): Promise<string>;
}

/**
 * HTTP over connections that are no sockets: each request has its own, so that none meets a connection that a restart has
 * left behind. The host in a URL is only a word.
 */
export function createTunnelHttp(parts: TunnelHttpParts): TunnelHttp {
  return {
    fetch: async (url, { body, ...init }) => {
      const answer = await exchange(parts, url, {
        ...init,
        body: body === undefined ? undefined : Readable.from([body]),
      });
      return { status: answer.statusCode ?? 0, text: () => text(answer) };
    },
    sendBytes: async (url, { body, ...init }) => {
      const answer = await exchange(parts, url, { ...init, body: body && Readable.from(body, { objectMode: false }) });
      return { status: answer.statusCode ?? 0, body: Object.assign(answer, { text: () => text(answer) }) };
    },
  };
}

interface Sent {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: Readable | undefined;
  readonly signal?: AbortSignal;
}

async function exchange({ open, token }: TunnelHttpParts, url: string, { body, signal, ...sent }: Sent) {
  const authorization = `Bearer ${await token()}`;
  const stream = await open();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sending = request(url, {
    ...sent,
    headers: { ...sent.headers, authorization },
    createConnection: () => stream,
    ...(signal && { signal }),
  });
  sending.once("response", (response) => {
    response.once("close", () => stream.destroy());
    resolve(response);
  });
  // Stays: an error after the response must not become an uncaught one.
  sending.on("error", (error) => {
    stream.destroy();
    reject(error);
  });
  if (body === undefined) sending.end();
  else pipeline(body, sending).catch(reject);
  return await promise;
}
