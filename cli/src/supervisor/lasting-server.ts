import { existsSync } from "node:fs";
import type { Logger } from "pino";
import type { ApiServer } from "../http/serve-api.ts";

/** A server on a socket that may be removed from outside. */
export interface LastingServer extends AsyncDisposable {
  /** Serves again, behind the caller's back, if the socket is gone. Never throws. */
  renew(): void;
}

export async function serveLasting(
  serve: () => Promise<ApiServer>,
  log: Pick<Logger, "warn" | "error">,
): Promise<LastingServer> {
  let server = await serve();
  let closed = false;
  let renewal: Promise<void> | undefined;

  async function serveAgain(): Promise<void> {
    const { socketPath } = server;
    try {
      // The old one comes first: its end removes whatever has its socket's name.
      await server[Symbol.asyncDispose]();
      if (closed) return;
      server = await serve();
      log.warn({ socketPath }, "socket was removed; served again");
    } catch (error) {
      log.error({ socketPath, err: error }, "socket was removed and can't be served again; nobody reaches it");
    }
  }

  return {
    renew() {
      if (closed || renewal || existsSync(server.socketPath)) return;
      renewal = serveAgain().finally(() => {
        renewal = undefined;
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await renewal;
      await server[Symbol.asyncDispose]();
    },
  };
}
