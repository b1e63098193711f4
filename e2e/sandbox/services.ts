import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

export interface Services extends AsyncDisposable {
  /** TCP, and UDP with an answer to everything, at all addresses of the machine. */
  readonly port: number;
  /** Name of an abstract Unix socket. */
  readonly abstract: string;
}

/** Services of the machine that no session may reach. */
export async function openServices(): Promise<Services> {
  const tcp = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
  await once(tcp, "listening");
  const at = tcp.address();
  const port = typeof at === "object" && at ? at.port : 0;
  const udp = createSocket("udp4", (message, { port, address }) => udp.send(message, port, address)).bind(port);
  await once(udp, "listening");
  const abstract = `copepod-test-${port}`;
  const unix = createServer((socket) => socket.destroy()).listen(`\0${abstract}`);
  await once(unix, "listening");
  return {
    port,
    abstract,
    async [Symbol.asyncDispose]() {
      for (const one of [tcp, udp, unix]) one.close();
    },
  };
}

/** An address of this machine that is not loopback. Nothing that is sent to it leaves the machine. */
export function externalAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const address = all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (address === undefined) throw new Error("this machine has no address but loopback");
  return address;
}
