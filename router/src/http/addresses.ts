import type { Server } from "node:http";
import type { Socket } from "node:net";
import { CopepodError } from "@copepod/core/errors";
import { TokenBucket } from "@copepod/kube/token-bucket";
import type { FastifyInstance } from "fastify";

/** Connections of one listener, and of one address. */
const maxConnections = 20_000;
const maxConnectionsPerAddress = 256;
/** Requests of one address: far more than a runner, a host or a person needs. */
const requestRate = { perSecond: 100, burst: 400 };
/** What a request with a bad token costs in requests: each may cost a question to the API server. */
const refusalCost = 20;
/** Addresses that are remembered; the oldest goes first, and has its burst again. */
const maxAddresses = 10_000;

export interface AddressBounds {
  readonly monotonic: () => number;
  /** Loopback is where ports are forwarded to: all people come from that one address. */
  readonly isLoopbackFree: boolean;
}

/** No pod takes the room or the time of the others, whatever the agent in it does. On a Unix socket is the owner. */
export function boundAddresses(app: FastifyInstance, { monotonic, isLoopbackFree }: AddressBounds): void {
  const isBound = (address: string | undefined): address is string =>
    address !== undefined && !(isLoopbackFree && isLoopback(address));
  boundConnections(app.server, isBound);
  const buckets = new Map<string, TokenBucket>();
  const bucketOf = (address: string): TokenBucket => {
    const bucket = buckets.get(address) ?? new TokenBucket(requestRate, monotonic);
    for (const oldest of buckets.keys()) {
      if (buckets.size < maxAddresses || buckets.has(address)) break;
      buckets.delete(oldest);
    }
    buckets.set(address, bucket);
    return bucket;
  };
  app.addHook("onRequest", async ({ socket: { remoteAddress } }) => {
    if (!isBound(remoteAddress)) return;
    const bucket = bucketOf(remoteAddress);
    if (bucket.take() === 0) return;
    bucket.giveBack();
    throw new CopepodError("rateLimited", "too many requests from one address; send fewer");
  });
  app.addHook("onResponse", async ({ socket: { remoteAddress } }, { statusCode }) => {
    if (statusCode !== 401 || !isBound(remoteAddress)) return;
    for (let cost = 1; cost < refusalCost; cost += 1) bucketOf(remoteAddress).take();
  });
}

function boundConnections(server: Server, isBound: (address: string | undefined) => address is string): void {
  server.maxConnections = maxConnections;
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress: address } = socket;
    if (!isBound(address)) return;
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    if (count > maxConnectionsPerAddress) socket.destroy();
  });
}

const isLoopback = (address: string): boolean => /^(::1|(::ffff:)?127\..*)$/.test(address);
