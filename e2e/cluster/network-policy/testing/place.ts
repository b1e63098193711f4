import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";
import { type Answer, type Dial, isDial, listenedPorts } from "./dial.ts";

/** A process in a network namespace of its own: echoes on its ports, and dials where it is told to. Ends with its parent. */
const kept = new Map<string, Socket>();

for (const port of listenedPorts) {
  const tcp = createServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket));
  await once(tcp.listen(port), "listening");
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => udp.send(message, from.port, from.address));
  await once(udp.bind(port), "listening");
}
process.on("message", (message) => {
  if (isDial(message)) void answer(message);
});
process.on("disconnect", () => process.exit());
process.send?.({ id: "ready", isReached: true } satisfies Answer);

async function answer(dial: Dial): Promise<void> {
  const given = new AbortController();
  const isReached = await Promise.race([
    dialOnce(dial, given.signal).catch(() => false),
    setTimeout(dial.patienceMs, undefined, { signal: given.signal })
      // What has come meanwhile is looked at before the verdict, however late this process is.
      .then(() => setImmediate(false))
      .catch(() => false),
  ]);
  given.abort();
  process.send?.({ id: dial.id, isReached } satisfies Answer);
}

const dialOnce = (dial: Dial, signal: AbortSignal): Promise<boolean> =>
  dial.protocol === "tcp" ? dialTcp(dial, signal) : dialUdp(dial, signal);

async function dialTcp({ host, port, from, keep }: Dial, signal: AbortSignal): Promise<boolean> {
  const known = keep === undefined ? undefined : kept.get(keep);
  const socket = known ?? connect({ host, port, localAddress: from });
  const stays = keep !== undefined;
  if (stays) kept.set(keep, socket);
  signal.addEventListener("abort", () => stays || socket.destroy());
  socket.write("?");
  await once(socket, "data", { signal });
  return true;
}

async function dialUdp({ host, port, from }: Dial, signal: AbortSignal): Promise<boolean> {
  const socket = createSocket({ type: "udp4", signal });
  if (from !== undefined) await once(socket.bind(0, from), "listening");
  socket.send("?", port, host);
  await once(socket, "message", { signal });
  return true;
}
