import { connect as connectByNet, type NetConnectOpts, type Socket } from "node:net";

/**
 * Milliseconds after which another attempt is begun beside those that are under way. Of a new pod the first packet is often
 * lost, while network policies learn its address; the kernel sends it again only after a second, which a wake would wait.
 */
const attemptsAfterMs = [0, 50, 150, 350, 750, 1_550];
/** All attempts together. */
const dialTimeoutMs = 10_000;

/** Connects by whichever attempt is first; a refusal ends them all. @throws what the system says, or an Error after the time */
export async function dial(options: NetConnectOpts, connect = connectByNet): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const sockets: Socket[] = [];
  const attempt = (): void => {
    const socket = connect(options);
    sockets.push(socket);
    socket.once("error", reject).once("connect", () => resolve(socket));
  };
  const timers = attemptsAfterMs.map((ms) => setTimeout(attempt, ms));
  const tooLate = new Error(`no connection within ${dialTimeoutMs} ms`);
  timers.push(setTimeout(() => reject(tooLate), dialTimeoutMs));
  let winner: Socket | undefined;
  try {
    winner = await promise;
    winner.off("error", reject);
    return winner;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) if (socket !== winner) socket.destroy();
  }
}
