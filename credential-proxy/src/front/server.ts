import { chown, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { CopepodError } from "@copepod/core/errors";
import { type ProxyLimits, proxyLimits } from "../limits.ts";
import { methodRefused } from "./gate.ts";
import { answerSocketError, toRequestId } from "./refusal.ts";

/** Longer than the time between two heartbeats, so that a runner at work always has a connection. */
const keepAliveMs = 75_000;
/** A runner at work always has a connection; one that was broken is made anew within this time. */
const quietMs = 100;
/** How often the connections are counted while the proxy ends. */
const lookMs = 20;

export interface ProxyServer extends AsyncDisposable {
  /** Resolves when no runner has been connected for a moment. Rejects when the signal aborts. */
  untilQuiet(signal: AbortSignal): Promise<void>;
}

export interface SocketPlace {
  readonly path: string;
  /** uid and gid that get the socket; undefined = it stays our own. */
  readonly owner: readonly [uid: number, gid: number] | undefined;
  /** Whether the socket's group, which is that of its folder where that is so set, may use it too. */
  readonly forGroup: boolean;
}

/** Serves on a Unix socket that only its owner may use, and its group where that is said. @throws CopepodError `unavailable` when it can't listen. */
export async function listen(
  { path: socketPath, owner, forGroup }: SocketPlace,
  listener: RequestListener,
  limits: ProxyLimits = proxyLimits,
): Promise<ProxyServer> {
  const server = createHttpServer(listener, limits);
  let connections = 0;
  server.on("connection", (socket) => {
    connections++;
    socket.once("close", () => connections--);
  });
  // Left behind by a proxy that was killed. Two never run for one session.
  await rm(socketPath, { force: true });
  // The mode is right from the first moment on, which a chmod after the fact can't promise.
  const umask = process.umask(forGroup ? 0o117 : 0o177);
  try {
    const listening = Promise.withResolvers<void>();
    server.once("error", listening.reject);
    server.listen(socketPath, listening.resolve);
    await listening.promise;
    if (owner) await chown(socketPath, ...owner);
  } catch (cause) {
    throw new CopepodError("unavailable", `the proxy can't listen on ${socketPath}`, { cause });
  } finally {
    process.umask(umask);
  }
  return {
    async untilQuiet(signal) {
      for (let quiet = 0; quiet * lookMs < quietMs; quiet = connections === 0 ? quiet + 1 : 0) {
        await delay(lookMs, undefined, { signal });
      }
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function createHttpServer(listener: RequestListener, limits: ProxyLimits): Server {
  const server = createServer(
    {
      keepAliveTimeout: keepAliveMs,
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.lookMs,
      insecureHTTPParser: false,
    },
    listener,
  );
  server.maxConnections = limits.maxConnections;
  // The client may go on only when the request was judged; whoever takes it says so.
  server.on("checkContinue", listener);
  server.on("connect", (request, socket) => {
    const requestId = toRequestId(request.headers["x-request-id"]);
    answerSocketError(socket, { error: methodRefused("CONNECT"), requestId });
  });
  server.on("clientError", answerParserError);
  return server;
}

/** What the parser has refused, by the code of its error: with which status. */
const parserStatuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

function answerParserError({ code = "" }: NodeJS.ErrnoException, socket: Duplex): void {
  // An answer is on its way or was there before: another would be taken for the next one.
  if (socket instanceof Socket && socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const requestId = toRequestId(undefined);
  const error =
    code === "HPE_INVALID_METHOD"
      ? methodRefused("this method")
      : new CopepodError("invalid", "the request is not valid HTTP/1.1, too large, or did not come in time");
  const status = parserStatuses[code];
  answerSocketError(socket, { error, requestId, ...(status === undefined ? {} : { status }) });
}
