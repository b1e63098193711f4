import { once } from "node:events";
import { createServer } from "node:net";

/** Ports of loopback that nobody listens on just now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(async (server) => {
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        const address = server.address();
        if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
        return address.port;
      }),
    );
  } finally {
    for (const server of servers) server.close();
  }
}
