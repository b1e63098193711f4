import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** What the fake says no to. */
export interface Refusals {
  readonly portforward?: boolean;
  /** The API server's sentence. */
  readonly token?: string;
}

/**
 * As much of an API server and a kubelet as a forwarded port takes: pods, tokens, reviews of rights, and WebSockets that lead to
 * a Unix socket. Everything else is tried on a real one (`e2e/cli`).
 */
export class FakeApiServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #folder: string;
  /** Where forwarded ports lead. */
  readonly #target: string;
  readonly #sockets = new Set<Duplex>();
  refusals: Refusals = {};
  /** `undefined` = none is installed. */
  routerState: object | undefined = { running: {} };
  /** By path; before everything else. */
  objects: Readonly<Record<string, object | "forbidden">> = {};
  logBytes: readonly Buffer[] = [];
  /** Tokens that were asked for. */
  tokens = 0;
  /** Ports that were forwarded, or should have been. */
  forwards = 0;

  private constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on("upgrade", (request, socket) => this.#forward(request, socket));
  }

  static async start(target: string): Promise<FakeApiServer> {
    const api = new FakeApiServer(await mkdtemp(join(tmpdir(), "cpk-")), target);
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    const { port } = api.#server.address() as AddressInfo;
    const config = {
      clusters: [{ name: "a", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "a", user: { token: "sesame" } }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      "current-context": "a",
    };
    await writeFile(api.kubeconfig, JSON.stringify(config));
    return api;
  }

  get kubeconfig(): string {
    return join(this.#folder, "kubeconfig");
  }

  /** As if the pod were killed. */
  breakForwards(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.breakForwards();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://api");
    const reply = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body));
    const known = this.objects[url.pathname];
    if (known === "forbidden") reply(403, { kind: "Status", message: "no", reason: "Forbidden" });
    else if (known) reply(200, known);
    else if (url.pathname === "/api/v1/namespaces/copepod/pods") reply(200, this.#pods());
    else if (url.pathname.endsWith("/token")) this.#token(reply);
    else if (url.pathname.endsWith("/selfsubjectaccessreviews")) {
      reply(201, { metadata: {}, status: { allowed: this.refusals.portforward !== true } });
    } else if (url.pathname.endsWith("/log")) {
      for (const bytes of this.logBytes) response.write(bytes);
      response.end();
    } else reply(404, { kind: "Status", message: `no ${url.pathname}`, reason: "NotFound" });
  }

  #pods(): object {
    const metadata = { name: "copepod-router-0", namespace: "copepod" };
    const status = { phase: "Running", containerStatuses: [{ name: "router", state: this.routerState }] };
    const pod = { metadata, spec: { containers: [{ name: "router" }] }, status };
    return { metadata: { resourceVersion: "1" }, items: this.routerState ? [pod] : [] };
  }

  #token(reply: (status: number, body: object) => void): void {
    this.tokens++;
    if (this.refusals.token) reply(403, { kind: "Status", message: this.refusals.token, reason: "Forbidden" });
    else reply(201, { metadata: {}, status: { token: "a.b.c" } });
  }

  #forward(request: IncomingMessage, socket: Duplex): void {
    this.forwards++;
    if (this.refusals.portforward) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const magic = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(magic).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n`,
    );
    for (const channel of [0, 1]) socket.write(frame(Buffer.of(channel, 0x93, 0x1f)));
    this.#sockets.add(socket);
    const pod = connect(this.#target);
    const frames = new Frames({ take: (message) => pod.write(message.subarray(1)), onClose: () => socket.end() });
    socket.on("data", (bytes: Buffer) => frames.push(bytes));
    pod.on("data", (bytes: Buffer) => socket.write(frame(Buffer.concat([Buffer.of(0), bytes]))));
    pod.on("error", (error) => socket.write(frame(Buffer.from(`\u0001${error.message}`))));
    pod.on("close", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      pod.destroy();
    });
  }
}

/** A whole binary message, as a server sends it. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head[0] = 0x82;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(message.length), 2);
  return Buffer.concat([head, message]);
}

/** Messages of a client, which masks them. */
class Frames {
  #bytes = Buffer.alloc(0);
  readonly #deps: { take(message: Buffer): void; onClose(): void };

  constructor(deps: { take(message: Buffer): void; onClose(): void }) {
    this.#deps = deps;
  }

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let next = this.#next(); next; next = this.#next()) {
      if (next.opcode === 2) this.#deps.take(next.message);
      if (next.opcode === 8) this.#deps.onClose();
    }
  }

  #next(): { readonly opcode: number; readonly message: Buffer } | undefined {
    const bytes = this.#bytes;
    const short = (bytes[1] ?? 0) & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const head = 2 + lengthBytes + 4;
    if (bytes.length < head) return undefined;
    const length =
      lengthBytes === 0 ? short : bytes.readUIntBE(2 + Math.max(0, lengthBytes - 6), Math.min(6, lengthBytes));
    if (bytes.length < head + length) return undefined;
    const mask = bytes.subarray(head - 4, head);
    const message = Buffer.from(bytes.subarray(head, head + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
    this.#bytes = bytes.subarray(head + length);
    return { opcode: (bytes[0] ?? 0) & 0x0f, message };
  }
}
