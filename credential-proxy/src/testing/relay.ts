import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pino } from "pino";
import { listen, type ProxyServer } from "../front/server.ts";
import { createRelay, mailboxRoutes } from "../mailbox/relay.ts";
import { createRouterClient, type RouterClient } from "../mailbox/router-client.ts";
import { createPlaceholderCheck, createTokenSource } from "../mailbox/token.ts";

export const placeholder = "placeholder-of-the-session";
export const token = "canary-token-of-the-session";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The proxy's relay between a client and a router that the test writes, over real sockets. All ended when disposed. */
export class RelayInProcess implements AsyncDisposable {
  readonly folder: string;
  readonly tokenFile: string;
  #logs = "";
  #router: Server | undefined;
  #client: RouterClient | undefined;
  #server: ProxyServer | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.tokenFile = join(folder, "token");
  }

  static async create(router?: RequestListener): Promise<RelayInProcess> {
    const relay = new RelayInProcess(await mkdtemp(join(tmpdir(), "copepod-relay-")));
    await writeFile(relay.tokenFile, `${token}\n`);
    if (router) await relay.startRouter(router);
    await relay.#startRelay();
    return relay;
  }

  get logs(): string {
    return this.#logs;
  }

  get server(): ProxyServer {
    if (!this.#server) throw new Error("the relay is not running");
    return this.#server;
  }

  async startRouter(listener: RequestListener): Promise<void> {
    this.#router = createServer(listener).listen(join(this.folder, "router"));
    await once(this.#router, "listening");
  }

  stopRouter(): void {
    this.#router?.close();
    this.#router?.closeAllConnections();
  }

  #write(line: string): void {
    this.#logs += line;
  }

  async #startRelay(): Promise<void> {
    const log = pino({ level: "trace" }, { write: (line: string) => this.#write(line) });
    this.#client = createRouterClient({
      address: { kind: "socket", socketPath: join(this.folder, "router") },
      token: createTokenSource(this.tokenFile),
      connections: 32,
    });
    const isAuthorized = createPlaceholderCheck(placeholder);
    const relay = createRelay({ router: this.#client, routes: mailboxRoutes, isAuthorized, log });
    this.#server = await listen({ path: join(this.folder, "proxy"), owner: undefined, forGroup: false }, relay);
  }

  /** A request to the proxy whose body and answer the test handles itself. */
  open(overrides: { method?: string; path?: string; headers?: Record<string, string> } = {}) {
    return request({
      socketPath: join(this.folder, "proxy"),
      method: "POST",
      path: "/v1/mailbox/take",
      ...overrides,
      headers: { authorization: `Bearer ${placeholder}`, ...overrides.headers },
    });
  }

  async send(body: string | Buffer = "{}", overrides: Parameters<RelayInProcess["open"]>[0] = {}): Promise<Answer> {
    const sending = this.open(overrides);
    const answered = Promise.withResolvers<Answer>();
    sending.on("response", (response) => {
      readText(response).then(
        (text) => answered.resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        answered.reject,
      );
    });
    sending.on("error", answered.reject);
    sending.end(body);
    return await answered.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#client?.[Symbol.asyncDispose]();
    this.stopRouter();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export const codeIn = (answer: Answer): unknown => JSON.parse(answer.text).error.code;

export async function readText(stream: Readable): Promise<string> {
  return (await stream.setEncoding("utf8").toArray()).join("");
}
