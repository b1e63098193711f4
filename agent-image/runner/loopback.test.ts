import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Loopback, openLoopback } from "./loopback.ts";

describe("the loopback port", () => {
  let folder = "";
  let loopback: Loopback;
  const gone = Promise.withResolvers<void>();
  const server = createServer((incoming, answer) => {
    if (incoming.url === "/never") incoming.socket.once("close", gone.resolve);
    else if (incoming.url === "/break") incoming.socket.destroy();
    else if (incoming.url === "/stream") {
      answer.write("one");
      incoming.once("data", (chunk) => answer.end(`, ${chunk}`));
    } else incoming.pipe(answer);
  });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "copepod-loopback-"));
    server.listen(join(folder, "s"));
    await once(server, "listening");
    loopback = await openLoopback(join(folder, "s"));
  });

  after(async () => {
    await loopback[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  it("carries requests and answers of any size to the socket and back", async () => {
    const body = "x".repeat(3_000_000);
    const answer = await fetch(`${loopback.url}/echo`, { method: "POST", body });
    assert.equal(await answer.text(), body);
  });

  it("hands on each part at once, in both directions", async () => {
    const sending = request(`${loopback.url}/stream`, { method: "POST" });
    sending.flushHeaders();
    const [answer] = await once(sending, "response");
    const [first] = await once(answer, "data");
    assert.equal(String(first), "one");
    sending.end("two");
    const [second] = await once(answer, "data");
    assert.equal(String(second), ", two");
  });

  it("shows the caller a connection that broke, and the other side a caller that has gone", async () => {
    await assert.rejects(fetch(`${loopback.url}/break`));
    const { port } = new URL(loopback.url);
    const client = connect({ host: "127.0.0.1", port: Number(port) });
    client.write("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(client, "connect");
    const asked = once(server, "request");
    await asked;
    client.destroy();
    await gone.promise;
  });

  it("breaks the connection when nobody listens on the socket", async () => {
    await using lonely = await openLoopback(join(folder, "nobody"));
    await assert.rejects(fetch(lonely.url));
  });
});
