import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";

/** An HTTP proxy that makes tunnels, as companies have them. */
export class ConnectProxy implements AsyncDisposable {
  /** Host and port of each tunnel that was asked for. */
  readonly tunnels: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connect", ({ url = "" }, client) => {
      this.tunnels.push(url);
      const { hostname, port } = new URL(`http://${url}`);
      const target = connect(Number(port), hostname, () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        client.pipe(target).pipe(client);
      });
      client.on("error", () => target.destroy());
      client.on("close", () => target.destroy());
      target.on("error", () => client.destroy());
      target.on("close", () => client.destroy());
    });
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ConnectProxy(server);
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : undefined}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}
