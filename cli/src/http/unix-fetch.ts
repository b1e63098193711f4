import type { Fetch } from "@copepod/core/endpoint";
import { Agent, fetch } from "undici";

/** `fetch` over a Unix socket; the host in the URL is only a word. */
export interface UnixFetch {
  readonly fetch: Fetch;
  close(): Promise<void>;
}

export function createUnixFetch(socketPath: string): UnixFetch {
  const dispatcher = new Agent({ connect: { socketPath } });
  return {
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
    close: () => dispatcher.destroy(),
  };
}
