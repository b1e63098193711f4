import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request, type Server } from "node:https";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { adminRequest } from "../../cluster/pki/pki.ts";

export interface Canned {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Stands in front of an API server as what reads HTTP: it ends TLS with a certificate of the cluster's authority, can answer
 * by itself, and can cut answers at a byte. It calls the API server as its admin, whoever calls it.
 */
export class HttpFaults implements AsyncDisposable {
  /** Such as `GET /api/v1/pods`, without the query. */
  readonly requests: string[] = [];
  /** The answer in place of the API server's, or none at all; undefined passes the request on. */
  answer: (request: IncomingMessage) => Canned | "drop" | undefined = () => undefined;
  /** Bodies end with their connection after so many bytes. */
  cutAfterBytes = Number.POSITIVE_INFINITY;
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #agent: Agent;

  private constructor(server: Server, upstream: URL, agent: Agent) {
    this.#server = server;
    this.#upstream = upstream;
    this.#agent = agent;
    server.on("request", (incoming, response) => this.#take(incoming, response));
  }

  static async start({ pki, server: upstream }: ControlPlane): Promise<HttpFaults> {
    const own = await pki.issue({ commonName: "http-faults", hosts: ["127.0.0.1"] });
    const admin = await pki.issue(adminRequest);
    const server = createServer({ cert: own.certificate, key: own.key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const agent = new Agent({ keepAlive: true, ca: pki.authority, cert: admin.certificate, key: admin.key });
    return new HttpFaults(server, new URL(upstream), agent);
  }

  get url(): string {
    const address = this.#server.address();
    return `https://127.0.0.1:${typeof address === "object" ? address?.port : undefined}`;
  }

  /** Ends all connections of clients. */
  reset(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.reset();
    this.#agent.destroy();
  }

  #take(incoming: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${incoming.method} ${incoming.url?.split("?")[0]}`);
    const canned = this.answer(incoming);
    if (canned === "drop") {
      response.destroy();
    } else if (canned) {
      incoming.resume();
      response.writeHead(canned.status, canned.headers).end();
    } else {
      this.#passOn(incoming, response);
    }
  }

  #passOn(incoming: IncomingMessage, response: ServerResponse): void {
    const { hostname: host, port } = this.#upstream;
    const { method, url: path, headers } = incoming;
    const outgoing = request({ agent: this.#agent, host, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      let leftBytes = this.cutAfterBytes;
      answer.on("data", (chunk: Buffer) => {
        response.write(chunk.subarray(0, leftBytes), () => {
          if (leftBytes <= 0) response.destroy();
        });
        leftBytes -= chunk.length;
      });
      answer.on("end", () => response.end());
      answer.on("error", () => response.destroy());
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  }
}
