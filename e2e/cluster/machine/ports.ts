import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { waitFor } from "./wait.ts";

/**
 * Below those that Linux gives to connections: so a port that is free for the moment, while its server is restarted, is
 * not taken by one of them.
 */
const range = { first: 20_000, last: 32_000 } as const;

const closingMs = 1_000;

/** Ports of loopback that nobody listens on just now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(range.first, range.last);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

/** Whether they are free now, or in a moment: the sockets of a killed process are closed a little after its end. */
export async function areFree(ports: readonly number[]): Promise<boolean> {
  const looks = ports.map((port) =>
    waitFor(`port ${port}`, () => isFree(port), { timeoutMs: closingMs, signal: new AbortController().signal }),
  );
  return await Promise.all(looks).then(
    () => true,
    () => false,
  );
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer()
    .on("error", () => resolve(false))
    .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return await promise;
}
