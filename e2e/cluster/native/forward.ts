import { connect, Server, type Socket } from "node:net";

/**
 * The door to the API server, of the process that starts this one: a socket belongs to the network that it was made in, also
 * in a process of another network.
 */
export async function receiveListener(): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  process.once("message", (_, handle) => {
    if (handle instanceof Server) resolve(handle);
  });
  process.once("disconnect", () => reject(new Error("who started the node has gone before it gave it a listener")));
  const listener = await promise;
  process.send?.("taken");
  return listener;
}

/** Leads who connects to the listener to a port of this network's loopback. */
export function forward(listener: Server, port: number): void {
  listener.on("connection", (outer: Socket) => {
    const inner = connect(port, "127.0.0.1");
    outer.pipe(inner).pipe(outer);
    // The end of one is the end of the other; why it ended, each side sees for itself.
    for (const [socket, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  });
}
