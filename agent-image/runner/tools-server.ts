import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import type { McpHttpHandler } from "@modelcontextprotocol/server";
import type { Logger } from "pino";
import type { McpServer, Tools } from "../providers/provider.ts";

/** A call of a tool is a message at most; files travel by their path. */
const maxCallBytes = 1024 * 1024;
const path = "/mcp";

export interface ToolsServer extends AsyncDisposable {
  readonly server: McpServer;
}

/**
 * Shows Copepod's tools to any harness, as an MCP server on loopback. The library behind it is read with the first
 * call, when the harness is starting anyway.
 */
export async function startToolsServer(tools: Tools, log: Logger): Promise<ToolsServer> {
  const token = Buffer.from(`Bearer ${randomBytes(24).toString("base64url")}`);
  let handler: Promise<McpHttpHandler> | undefined;
  const server = createServer((request, response) => {
    if (!isAllowed(request, token)) return refuse(request, response);
    handler ??= import("./tools.ts").then(({ createToolsHandler }) => createToolsHandler(tools));
    handler
      .then((loaded) => answer(loaded, request, response))
      .catch((error: unknown) => {
        log.warn({ err: error }, "a call of a tool broke");
        response.destroy();
      });
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}${path}`;
  return {
    server: { kind: "http", name: "copepod", url, headers: { Authorization: token.toString() } },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await (await handler)?.close();
    },
  };
}

/** Without a sandbox others on the machine reach the port too; a browser sends an origin. */
function isAllowed({ headers, url }: IncomingMessage, token: Buffer): boolean {
  const given = Buffer.from(headers.authorization ?? "");
  const known = given.length === token.length && timingSafeEqual(given, token);
  return known && url === path && headers.origin === undefined;
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(404, { "content-length": 0, connection: "close" }).end();
}

async function answer(handler: McpHttpHandler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const body = await readBounded(incoming);
  if (body === undefined) {
    outgoing.writeHead(413, { "content-length": 0, connection: "close" }).end();
    return;
  }
  const response = await handler.fetch(toRequest(incoming, body, gone.signal));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (!response.body) outgoing.end();
  else await pipeline(response.body, outgoing).catch(() => undefined);
}

/** @returns undefined when it is more than a call may be. */
async function readBounded(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > maxCallBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function toRequest({ method = "GET", headers }: IncomingMessage, body: Buffer, signal: AbortSignal): Request {
  const named = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === "string" ? [[name, value]] : [],
  );
  const init: RequestInit = { method, signal, headers: named };
  return new Request(`http://127.0.0.1${path}`, method === "POST" ? { ...init, body: new Uint8Array(body) } : init);
}
