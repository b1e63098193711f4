import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createRawServer } from "node:net";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

export const answerJson: Answer = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
};

/** A model API that notes what reaches it, on loopback. */
export class FakeUpstream implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Connections so far. */
  connections = 0;
  answer: Answer;
  readonly #server: ReturnType<typeof createServer>;
  readonly #scheme: string;

  private constructor(answer: Answer, tls?: { key: string; cert: string }) {
    this.answer = answer;
    this.#scheme = tls ? "https" : "http";
    const listener = (request: IncomingMessage, response: ServerResponse) => this.#take(request, response);
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.#server.on(tls ? "secureConnection" : "connection", () => this.connections++);
  }

  /** @param answer gets the request when its body is there */
  static async start(answer: Answer = answerJson, tls?: { key: string; cert: string }): Promise<FakeUpstream> {
    const upstream = new FakeUpstream(answer, tls);
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return portOf(this.#server.address());
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  get last(): Seen {
    const last = this.seen.at(-1);
    if (!last) throw new Error("nothing has reached the upstream");
    return last;
  }

  /** Ends the connections; goes on listening. */
  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part);
    } catch {
      return;
    }
    const body = Buffer.concat(parts).toString("latin1");
    const { method = "", url = "", headers, rawHeaders } = request;
    this.seen.push({ method, url, headers, rawHeaders, body });
    await this.answer(request, response, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A server that answers each connection's first bytes with the given ones, however wrong they are. */
export async function startRawUpstream(answer: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createRawServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write(answer, "latin1"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set<{ destroy(): unknown }>();
  server.on("connection", (socket) => sockets.add(socket));
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  return address.port;
}
