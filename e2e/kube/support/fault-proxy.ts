import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type Duplex, Transform } from "node:stream";

/** What happens to bytes on their way from the server to the client; those to the server always pass, but for `hang`. */
export type Fault =
  | { readonly kind: "pass" }
  /** Each piece comes this much later. */
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /** Connections are taken and nothing passes, in no direction. */
  | { readonly kind: "hang" }
  /** Each connection is reset once so many bytes have passed since the fault began. */
  | { readonly kind: "cut"; readonly afterBytes: number };

const sliceMs = 20;

/**
 * Stands between a client and a server, and is what a bad network is. It passes bytes and knows nothing of TLS, so that the
 * server's own certificate counts. A fault counts at once, for open connections too.
 */
export class FaultProxy implements AsyncDisposable {
  /** Connections that clients have opened. */
  opened = 0;
  readonly #server: Server;
  readonly #target: URL;
  readonly #pairs = new Set<Pair>();
  #fault: Fault = { kind: "pass" };

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#take(client));
  }

  /** @param target such as `https://127.0.0.1:6443` */
  static async start(target: string): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, new URL(target));
  }

  /** To be used in place of the target. */
  get url(): string {
    const address = this.#server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return `${this.#target.protocol}//127.0.0.1:${port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  set fault(fault: Fault) {
    this.#fault = fault;
    for (const { gates } of this.#pairs) for (const gate of gates) gate.change(fault);
  }

  /** Ends what is open by a TCP reset. */
  reset(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.reset();
  }

  #take(client: Socket): void {
    this.opened++;
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port), allowHalfOpen: true });
    const reset = () => {
      this.#pairs.delete(pair);
      // A socket that connects or ends can't be reset: Node would leave its handle open.
      if (client.writableEnded || client.destroyed) client.destroy();
      else client.resetAndDestroy();
      server.destroy();
    };
    const gates = [new Gate("toServer", reset), new Gate("toClient", reset)] as const;
    const pair: Pair = { gates, reset };
    this.#pairs.add(pair);
    for (const gate of gates) gate.change(this.#fault);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", reset);
    }
    client.on("close", () => {
      this.#pairs.delete(pair);
      server.destroy();
    });
    server.on("close", () => client.end());
    join(client, gates[0], server);
    join(server, gates[1], client);
  }
}

interface Pair {
  readonly gates: readonly [Gate, Gate];
  reset(): void;
}

function join(from: Duplex, gate: Gate, to: Duplex): void {
  from.pipe(gate).pipe(to);
}

/** One direction of one connection. What waits here stops the sender, as a full network does. */
class Gate extends Transform {
  readonly #direction: "toServer" | "toClient";
  readonly #reset: () => void;
  #fault: Fault = { kind: "pass" };
  #leftBytes = 0;
  #wake = () => {};

  constructor(direction: "toServer" | "toClient", reset: () => void) {
    super();
    this.#direction = direction;
    this.#reset = reset;
  }

  change(fault: Fault): void {
    const passes = this.#direction === "toServer" && fault.kind !== "hang";
    this.#fault = passes ? { kind: "pass" } : fault;
    if (fault.kind === "cut") this.#leftBytes = fault.afterBytes;
    this.#wake();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#pass(chunk).then(done, () => undefined);
  }

  async #pass(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0 && !this.destroyed) rest = rest.subarray(await this.#passSome(rest));
  }

  /** @returns how many bytes are done with */
  async #passSome(rest: Buffer): Promise<number> {
    const fault = this.#fault;
    switch (fault.kind) {
      case "pass":
        return this.#push(rest);
      case "delay":
        await this.#pause(fault.ms);
        return this.#push(rest);
      case "slow": {
        await this.#pause(sliceMs);
        return this.#push(rest.subarray(0, Math.max(1, Math.round((fault.bytesPerSecond * sliceMs) / 1_000))));
      }
      case "hang":
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        return 0;
      case "cut": {
        const sent = this.#push(rest.subarray(0, this.#leftBytes));
        this.#leftBytes -= sent;
        if (this.#leftBytes === 0) setImmediate(this.#reset);
        return rest.length;
      }
    }
  }

  #push(part: Buffer): number {
    if (part.length > 0) this.push(part);
    return part.length;
  }

  /** Ends sooner when the fault changes. */
  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
