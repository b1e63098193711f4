import { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { CopepodError } from "@copepod/core/errors";
import type { WebSocket } from "undici";
import type { ApiStreams } from "./api-streams.ts";

/** The kubelet's oldest protocol that all its versions speak: each message begins with the number of its channel. */
const protocol = "v4.channel.k8s.io";
const channels = { data: 0, error: 1 } as const;
/** Bytes of the port, with which each channel begins. */
const portBytes = 2;

const openTimeoutMs = 10_000;
/** More bytes on their way make the writer wait. */
const maxBufferedBytes = 1024 * 1024;
const drainPollMs = 5;

export interface TunnelEnd {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/**
 * One TCP connection to a port of a pod, through the API server. It breaks with the pod.
 * @throws CopepodError `clusterUnavailable`: a WebSocket does not tell why it was refused, so look for the reason then
 */
export async function openTunnel(streams: ApiStreams, { namespace, pod, port }: TunnelEnd): Promise<Duplex> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/portforward?ports=${port}`;
  const socket = await streams.connect(path, protocol);
  socket.binaryType = "arraybuffer";
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const refuse = () =>
    reject(new CopepodError("clusterUnavailable", `no port of pod ${namespace}/${pod} was forwarded`));
  socket.onopen = () => resolve();
  socket.onerror = refuse;
  socket.onclose = refuse;
  const timer = setTimeout(refuse, openTimeoutMs);
  try {
    // Before it is open, so that no message is lost.
    const tunnel = new Tunnel(socket);
    await opened;
    return tunnel;
  } catch (error) {
    socket.onerror = () => {};
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

class Tunnel extends Duplex {
  readonly #socket: WebSocket;
  readonly #begun = new Set<number>();

  constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    // It may break before anybody listens; whoever uses it then learns it by itself.
    this.on("error", () => {});
    socket.onmessage = ({ data }) => this.#take(Buffer.from(data));
    socket.addEventListener("error", () => this.destroy(broken("the connection broke")));
    socket.addEventListener("close", () => this.push(null));
  }

  override _read(): void {
    // What comes is pushed at once: a WebSocket can't be told to wait.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.close();
    done(error);
  }

  async #send(chunk: Buffer): Promise<void> {
    while (this.#socket.bufferedAmount > maxBufferedBytes && !this.destroyed) await delay(drainPollMs);
    this.#socket.send(Buffer.concat([Buffer.of(channels.data), chunk]));
  }

  #take(message: Buffer): void {
    const channel = message[0];
    if (channel === undefined) return;
    const skipped = this.#begun.has(channel) ? 1 : 1 + portBytes;
    this.#begun.add(channel);
    const content = message.subarray(skipped);
    if (content.length === 0) return;
    if (channel === channels.data) this.push(content);
    if (channel === channels.error) this.destroy(broken(content.toString("utf8")));
  }
}

const broken = (reason: string): Error => new Error(`the forwarded port: ${reason}`);
