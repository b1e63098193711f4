import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Load {
  readonly socketPath: string;
  readonly connections: number;
  readonly durationMs: number;
  /** The next request, as bytes on the wire. */
  readonly nextRequest: () => Buffer;
  /** Requests per second over all connections; without it each sends as soon as it has its answer. */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Sorted, in ms. */
  readonly latencies: Float64Array;
}

/**
 * A closed loop over raw sockets: each connection sends its next request when the answer of the one before is there, or
 * at a steady rate. As little as possible is parsed, since this shares the machine with what it measures. Anything but a 200 is an error.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { socketPath, connections, durationMs, nextRequest, perSecond } = load;
  const intervalMs = perSecond === undefined ? 0 : (connections / perSecond) * 1_000;
  const latencies: number[] = [];
  const started = performance.now();
  const deadline = started + durationMs;
  // At a steady rate the connections take turns, so that requests come one by one and not all at once.
  const loops = Array.from({ length: connections }, async (_, index) => {
    if (intervalMs > 0) await delay((index / connections) * intervalMs);
    await runConnection({ socketPath, deadline, nextRequest, latencies, intervalMs });
  });
  await Promise.all(loops);
  const seconds = (performance.now() - started) / 1_000;
  return { requests: latencies.length, seconds, latencies: Float64Array.from(latencies).sort() };
}

interface Connection {
  readonly socketPath: string;
  readonly deadline: number;
  readonly nextRequest: () => Buffer;
  readonly latencies: number[];
  readonly intervalMs: number;
}

function runConnection({ socketPath, deadline, nextRequest, latencies, intervalMs }: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(socketPath);
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(nextRequest());
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    // An answer is so small that it comes in one piece; one that does not look like it ends the run.
    socket.on("data", (answer: Buffer) => {
      if (!isOk(answer)) {
        socket.destroy();
        reject(new Error(`unexpected answer: ${answer.toString("latin1", 0, 500)}`));
        return;
      }
      const now = performance.now();
      latencies.push(now - sentAt);
      if (now >= deadline) socket.end();
      else if (now >= sentAt + intervalMs) send();
      else setTimeout(send, sentAt + intervalMs - now);
    });
  });
}

const isOk = (answer: Buffer): boolean =>
  answer.subarray(0, okStatus.length).equals(okStatus) && answer.at(-1) === closingBrace;
const okStatus = Buffer.from("HTTP/1.1 200");
const closingBrace = "}".charCodeAt(0);

export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A POST with a JSON body. */
export function postRequest(path: string, token: string, body: string): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: router\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
