import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Connections of all harnesses and tools of one session at the same time. */
const maxConnections = 256;

export interface Loopback extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}

/**
 * Harnesses speak TCP, the proxy listens on a Unix socket, and a sandbox has no other way out: each connection to the
 * port is one to the socket. Nothing is read here; the proxy checks who asks.
 */
export async function openLoopback(socketPath: string): Promise<Loopback> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ path: socketPath });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      // Whatever breaks, the other side sees it as the end of its connection.
      socket.on("error", () => undefined);
    }
    join(client, upstream);
  });
  server.maxConnections = maxConnections;
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** When one side ends, what it has sent still arrives; a broken side breaks the other. */
function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
  client.once("close", () => upstream.destroy());
  upstream.once("close", (hadError) => (hadError ? client.resetAndDestroy() : client.destroySoon()));
}
