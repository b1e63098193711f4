import { Readable } from "node:stream";
import type { SendBytes } from "@copepod/core/blobs";
import type { Fetch } from "@copepod/core/endpoint";
import { Agent, fetch, request } from "undici";

/** `fetch` over a Unix socket; the host in the URL is only a word. */
export interface UnixFetch {
  readonly fetch: Fetch;
  readonly sendBytes: SendBytes;
  close(): Promise<void>;
}

export function createUnixFetch(socketPath: string): UnixFetch {
  const dispatcher = new Agent({ connect: { socketPath } });
  return {
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
    async sendBytes(url, { body, ...init }) {
      const sent = body === undefined ? {} : { body: Readable.from(body, { objectMode: false }) };
      const response = await request(url, { dispatcher, ...init, ...sent });
      return { status: response.statusCode, body: response.body };
    },
    close: () => dispatcher.destroy(),
  };
}
