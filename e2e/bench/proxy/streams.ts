import { connect } from "node:net";

export interface StreamLoad {
  readonly socketPath: string;
  readonly connections: number;
  readonly durationMs: number;
  readonly request: Buffer;
}

export interface StreamTimes {
  /** Sorted, in ms: from the request to the first event. */
  readonly firstEvent: Float64Array;
  /** Sorted, in ms: from the upstream's writing to the client's reading, for all events but the first. */
  readonly event: Float64Array;
}

/** Streams one after another on each connection. */
export async function runStreams(load: StreamLoad): Promise<StreamTimes> {
  const firstEvent: number[] = [];
  const event: number[] = [];
  const deadline = performance.now() + load.durationMs;
  await Promise.all(
    Array.from({ length: load.connections }, () => runConnection(load, { deadline, firstEvent, event })),
  );
  return { firstEvent: Float64Array.from(firstEvent).sort(), event: Float64Array.from(event).sort() };
}

interface Run {
  readonly deadline: number;
  readonly firstEvent: number[];
  readonly event: number[];
}

const lastChunk = "0\r\n\r\n";
const stamp = /"at":"(\d+)"/g;

function runConnection({ socketPath, request }: StreamLoad, run: Run): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const socket = connect(socketPath);
  let sentAt = 0;
  const send = () => {
    sentAt = performance.now();
    socket.write(request);
  };
  socket.on("connect", send);
  socket.on("error", ended.reject);
  socket.on("close", () => ended.resolve());
  // Events are so small and so far apart that each comes in one piece, the first one perhaps with the head.
  socket.on("data", (chunk: Buffer) => {
    const text = chunk.toString("latin1");
    if (isRefusal(text)) ended.reject(new Error(text.slice(0, 500)));
    if (note(text, sentAt, run)) sentAt = 0;
    if (!text.endsWith(lastChunk)) return;
    if (performance.now() >= run.deadline) socket.end();
    else send();
  });
  return ended.promise;
}

const isRefusal = (text: string): boolean => text.startsWith("HTTP/1.1") && !text.startsWith("HTTP/1.1 200");

/** @param sentAt 0 = the first event has been there. @returns whether there was an event */
function note(text: string, sentAt: number, { firstEvent, event }: Run): boolean {
  const now = performance.now();
  const nowNs = process.hrtime.bigint();
  const stamps = [...text.matchAll(stamp)].map(([, at = "0"]) => Number(nowNs - BigInt(at)) / 1e6);
  if (sentAt > 0 && stamps.length > 0) {
    firstEvent.push(now - sentAt);
    stamps.shift();
    event.push(...stamps);
    return true;
  }
  event.push(...stamps);
  return stamps.length > 0;
}
