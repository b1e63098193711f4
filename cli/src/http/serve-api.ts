import { chmod } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Api, Endpoint, Handlers } from "@copepod/core/endpoint";
import { CopepodError, codeOf, parseInput, statusOf } from "@copepod/core/errors";
import { maxBodyBytes } from "@copepod/core/limits";

/** What a handler learns beside its input. */
export interface CallContext {
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}

export interface ApiServer extends AsyncDisposable {
  readonly socketPath: string;
}

export interface Place {
  readonly socketPath: string;
  /** Called with what the caller learns only as "internal", and with the call. */
  onFault(error: unknown, call: string): void;
}

/** Serves an API of core on a Unix socket that only its owner may use. */
export async function serveApi<A extends Api>(
  api: A,
  handlers: Handlers<A, CallContext>,
  { socketPath, onFault }: Place,
): Promise<ApiServer> {
  const routes = Object.entries(api).map(([name, definition]) => ({
    definition,
    pattern: new RegExp(`^${definition.path.replaceAll(/:([a-zA-Z]+)/g, "(?<$1>[^/]+)")}$`),
    // The handler of this name takes what the definition of this name parses; a record can't say that to the compiler.
    handle: handlers[name] as (input: unknown, context: CallContext) => Promise<unknown>,
  }));
  const server = createServer((request, response) => {
    const fault = (error: unknown) => onFault(error, `${request.method} ${request.url}`);
    answer({ routes, fault }, request, response).catch((error: unknown) => {
      fault(error);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return {
    socketPath,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Route {
  readonly definition: Endpoint;
  readonly pattern: RegExp;
  readonly handle: (input: unknown, context: CallContext) => Promise<unknown>;
}

interface Served {
  readonly routes: readonly Route[];
  fault(error: unknown): void;
}

async function answer(served: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const { route, input } = await match(served.routes, request);
    const parsed = parseInput(route.definition.input, input);
    reply(response, 200, await route.handle(parsed, { signal: gone.signal }));
  } catch (error) {
    const code = codeOf(error);
    // A caller that has left aborts the reading of its request; that is no fault.
    if (code === "internal" && !gone.signal.aborted) served.fault(error);
    const message = error instanceof CopepodError ? error.message : "a fault inside Copepod";
    reply(response, statusOf(code), { error: { code, message } });
  }
}

async function match(routes: readonly Route[], request: IncomingMessage) {
  const url = new URL(request.url ?? "/", "http://socket");
  for (const route of routes) {
    const found = route.pattern.exec(url.pathname);
    if (!found || route.definition.method !== request.method) continue;
    const parts = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
    const rest = request.method === "GET" ? Object.fromEntries(url.searchParams) : await readBody(request);
    return { route, input: { ...rest, ...Object.fromEntries(parts) } };
  }
  throw new CopepodError("notFound", `no call ${request.method} ${url.pathname}`);
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new CopepodError("tooLarge", `the body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CopepodError("invalid", "the body is not JSON", { cause });
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
