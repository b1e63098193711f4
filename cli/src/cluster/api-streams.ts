import type { Socket } from "node:net";
import { CopepodError } from "@copepod/core/errors";
import { Access, type Endpoint, type Identity } from "@copepod/kube/client/access";
import { toApiError } from "@copepod/kube/client/status";
import type { Clock } from "@copepod/kube/clock";
import { Agent, buildConnector, type Dispatcher, ProxyAgent, request, WebSocket } from "undici";

/** An answer that never ends may be silent for as long as it likes. */
const noTimeout = { headersTimeout: 30_000, bodyTimeout: 0 } as const;

/**
 * What the API server streams, with the same identity as all other calls: logs, and WebSockets. The library's own ways are not
 * used: its log follower ends the process when a connection breaks, and its port-forward does not tell that one has ended.
 */
export class ApiStreams {
  readonly #access: Access;
  readonly #sockets = new Set<Socket>();
  #last: { readonly endpoint: Endpoint; readonly dispatcher: Dispatcher } | undefined;

  constructor(identity: Identity, clock: Clock) {
    this.#access = new Access(identity, clock);
  }

  /**
   * The bytes of a long answer, as they come.
   * @param what for sentences, such as `get pods/log agents/a-1`.
   * @throws ApiError; CopepodError `clusterUnavailable`, also while bytes are read
   */
  async *read(what: string, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { server, headers, dispatcher } = await this.#open();
    try {
      const { statusCode, body } = await request(server + path, { dispatcher, headers, signal, ...noTimeout });
      if (statusCode >= 400) throw toApiError({ what, status: statusCode, body: parse(await body.text()) });
      yield* body;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CopepodError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CopepodError("clusterUnavailable", `${what}: the answer was cut: ${reason}`, { cause: error });
    }
  }

  /** A WebSocket that is not open yet. */
  async connect(path: string, protocol: string): Promise<WebSocket> {
    const { server, headers, dispatcher } = await this.#open();
    return new WebSocket(server.replace(/^http/, "ws") + path, { protocols: [protocol], headers, dispatcher });
  }

  async close(): Promise<void> {
    this.#access.end(new CopepodError("unavailable", "the command has ended"));
    await this.#last?.dispatcher.destroy();
    // A WebSocket waits for ever for a server that does not say goodbye.
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open() {
    const { endpoint, headers } = await this.#access.current();
    if (this.#last?.endpoint !== endpoint) this.#last = { endpoint, dispatcher: this.#dispatcherOf(endpoint) };
    return { server: endpoint.server.replace(/\/+$/, ""), headers, dispatcher: this.#last.dispatcher };
  }

  #dispatcherOf({ proxyUrl, ca, cert, key, servername, insecure }: Endpoint): Dispatcher {
    const tls = {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(servername && { servername }),
      rejectUnauthorized: !insecure,
      // WebSockets are of HTTP/1.1.
      allowH2: false,
    };
    if (proxyUrl) return new ProxyAgent({ uri: proxyUrl, requestTls: tls });
    const connector = buildConnector(tls);
    return new Agent({
      connect: (options, done) =>
        connector(options, (...made) => {
          if (made[1]) this.#keep(made[1]);
          done(...made);
        }),
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
