import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { createBlobs } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";
import { maxFileBytes } from "@copepod/core/limits";
import { pino } from "pino";
import { Agent, request } from "undici";
import { BlobWorld } from "../blobs/testing.ts";
import { RouterMetrics } from "../metrics.ts";
import { rejectsWith } from "../queue/contract/testing.ts";
import { addBlobRoutes } from "./blob-routes.ts";
import { buildListener } from "./listener.ts";

const path = "/v1/mailbox/blobs";
const tokens: Readonly<Record<string, string>> = { "token-1": "default/one", "token-2": "default/two" };

/** The routes of the mailbox on a socket, and clients with tokens. */
async function serve() {
  const world = await BlobWorld.open();
  const app = buildListener({
    name: "mailbox",
    api: {},
    handlers: {},
    authenticate: sessionOf,
    makeRequestId: () => "id",
    log: pino({ level: "silent" }),
    metrics: new RouterMetrics(),
    ending: new AbortController().signal,
  });
  addBlobRoutes<string>(app, {
    path,
    blobs: await world.blobs(),
    authenticate: sessionOf,
    sessionOf: (session) => session,
    maySee: (session, blob) => world.store.maySeeBlob(session, blob),
  });
  const socketPath = join(world.folder, "s");
  await app.listen({ path: socketPath });
  const dispatcher = new Agent({ connect: { socketPath } });
  const client = (token: string) =>
    createBlobs({
      url: `http://router${path}`,
      token: () => token,
      send: async (url, init) => {
        const { statusCode, body } = await request(url, {
          dispatcher,
          ...init,
          body: init.body ? Readable.from(init.body) : null,
        });
        return { status: statusCode, body };
      },
    });
  const raw = (head: readonly string[]): Socket => {
    const socket = connect(socketPath);
    socket.write(`${[...head, "host: x", "authorization: Bearer token-1"].join("\r\n")}\r\n\r\n`);
    return socket;
  };
  return {
    world,
    client,
    raw,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await app.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function sessionOf(bearer: string | undefined): Promise<string> {
  const session = tokens[bearer ?? ""];
  if (session === undefined) throw new CopepodError("unauthorized", "wrong token");
  return session;
}

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const piece of texts) yield Buffer.from(piece);
}

const signal = new AbortController().signal;
const octets = "content-type: application/octet-stream";

describe("the routes of files", () => {
  it("take a file and give it back to the session that sent it", async () => {
    await using server = await serve();
    const { blob, bytes } = await server.client("token-1").put(pieces("a ", "file"), 6, signal);
    assert.equal(bytes, 6);
    const got = await Array.fromAsync(await server.client("token-1").get(blob, signal));
    assert.equal(Buffer.concat(got).toString(), "a file");
  });

  it("show a session no file of another, and do not tell whether there is one", async () => {
    await using server = await serve();
    const { blob } = await server.client("token-1").put(pieces("secret"), 6, signal);
    const foreign = await rejectsWith(server.client("token-2").get(blob, signal), "notFound");
    const unknown = await rejectsWith(server.client("token-2").get("0".repeat(64), signal), "notFound");
    assert.equal(foreign.message, unknown.message);
    for (const name of ["..%2f..%2fqueue.db", "incoming", "%00", blob.toUpperCase(), `${blob}x`]) {
      await rejectsWith(server.client("token-1").get(name, signal), "notFound");
    }
  });

  it("ask for a token before they read anything", async () => {
    await using server = await serve();
    await rejectsWith(server.client("wrong").put(pieces("x"), 1, signal), "unauthorized");
    await rejectsWith(server.client("wrong").get("0".repeat(64), signal), "unauthorized");
    assert.deepEqual(await server.world.files(), []);
  });

  it("refuse what is too large by its announced length, before it is sent", async () => {
    await using server = await serve();
    const socket = server.raw([`PUT ${path} HTTP/1.1`, octets, `content-length: ${maxFileBytes + 1}`]);
    const [head] = await once(socket, "data");
    assert.match(String(head), /^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it("refuse a byte too many of a file whose length was not announced, tell so, and leave nothing", async () => {
    await using server = await serve();
    const socket = server.raw([`PUT ${path} HTTP/1.1`, octets, "transfer-encoding: chunked", "connection: close"]);
    const answer = text(socket);
    const mebibyte = Buffer.alloc(1024 * 1024);
    const write = (data: Buffer | string) => new Promise<void>((resolve) => socket.write(data, () => resolve()));
    for (let sent = 0; sent <= maxFileBytes; sent += mebibyte.length) {
      await write("100000\r\n");
      await write(mebibyte);
      await write("\r\n");
    }
    await write("0\r\n\r\n");
    socket.end();
    assert.match(await answer, /^HTTP\/1\.1 413 [\s\S]*"code":"tooLarge"/);
    assert.deepEqual(await server.world.files(), []);
  });

  it("leave nothing when the sender goes away in the middle", async () => {
    await using server = await serve();
    const socket = server.raw([`PUT ${path} HTTP/1.1`, octets, "content-length: 100"]);
    socket.write("half");
    while ((await server.world.files()).length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    while ((await server.world.files()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("refuse another content type", async () => {
    await using server = await serve();
    const socket = server.raw([
      `PUT ${path} HTTP/1.1`,
      "content-type: text/plain",
      "content-length: 1",
      "connection: close",
    ]);
    socket.end("x");
    assert.match(await text(socket), /^HTTP\/1\.1 400 /);
  });
});
