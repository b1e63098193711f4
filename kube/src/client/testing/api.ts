import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { Clock } from "../../clock.ts";
import type { Resource } from "../../object.ts";
import { TestClock } from "../../testing/clock.ts";
import type { Identity } from "../access.ts";
import type { KubeClient } from "../client.ts";
import { createKubeClient, type KubeClientParts } from "../kube-client.ts";

export const maps: Resource = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
export const web = { namespace: "default", name: "web" };
export const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { ...web, resourceVersion: "7" } };

export interface Received {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (response: ServerResponse, request: Received) => void;

/** Answers each request as the test says. A real socket, without TLS; what an API server decides is not in it. */
export class TestApi implements AsyncDisposable {
  readonly requests: Received[] = [];
  /** Connections that were opened. */
  sockets = 0;
  readonly #server: Server;
  readonly #clients: KubeClient[] = [];
  readonly #answers: Answer[] = [];
  /** What the requests get for which nothing was queued. */
  otherwise: Answer = json(200, object);

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", () => this.sockets++);
    server.on("request", async (request, response) => {
      const body = (await request.setEncoding("utf8").toArray()).join("");
      const url = new URL(request.url ?? "", "http://api");
      const received = { method: request.method ?? "", url, headers: request.headers, body };
      this.requests.push(received);
      const answer = this.#answers.shift() ?? this.otherwise;
      answer(response, received);
    });
  }

  static async start(port = 0, host = "127.0.0.1"): Promise<TestApi> {
    const server = createServer();
    server.listen(port, host);
    await once(server, "listening");
    return new TestApi(server);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get address(): string {
    const address = this.#server.address();
    const isIPv6 = typeof address === "object" && address?.family === "IPv6";
    return `http://${isIPv6 ? "[::1]" : "127.0.0.1"}:${this.port}`;
  }

  get identity(): Identity {
    return async () => ({ endpoint: { server: this.address }, headers: { authorization: "Bearer sesame" } });
  }

  async openSockets(): Promise<number> {
    return await new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count)));
  }

  queue(...answers: readonly Answer[]): void {
    this.#answers.push(...answers);
  }

  client(parts: Pick<KubeClientParts, "clock"> & Partial<KubeClientParts>): KubeClient {
    const client = createKubeClient({
      identity: this.identity,
      userAgent: "test/1",
      random: () => 0,
      ...parts,
    });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };

export const status = (code: number, reason: string, headers?: Readonly<Record<string, string>>): Answer =>
  json(code, { kind: "Status", apiVersion: "v1", message: `it is ${reason}`, reason, code }, headers);

export const hang: Answer = () => undefined;
export const cut: Answer = (response) => response.destroy();

/** Time that passes only when the test says so, and what was waited for. */
export class WatchedClock {
  readonly #inner = new TestClock();
  /** Milliseconds of each timer that was set. */
  readonly timers: number[] = [];
  readonly clock: Clock = {
    now: this.#inner.now,
    monotonic: this.#inner.monotonic,
    after: (ms, act) => {
      this.timers.push(ms);
      return this.#inner.after(ms, act);
    },
  };

  pass(ms: number): void {
    this.#inner.pass(ms);
  }
}
