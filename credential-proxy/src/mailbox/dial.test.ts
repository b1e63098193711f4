import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type NetConnectOpts, Socket } from "node:net";
import { describe, it } from "node:test";
import { dial } from "./dial.ts";

async function listening() {
  const server = createServer((socket) => socket.resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

describe("a connection to the router", () => {
  it("does not wait for an attempt whose first packet was lost", async () => {
    const { server, port } = await listening();
    const lost = new Socket();
    let attempts = 0;
    const connectBy = ((options: NetConnectOpts) => (++attempts === 1 ? lost : connect(options))) as typeof connect;
    const socket = await dial({ host: "127.0.0.1", port }, connectBy);
    assert.equal(attempts, 2);
    assert.equal(lost.destroyed, true);
    assert.equal(socket.destroyed, false);
    socket.destroy();
    server.close();
  });

  it("is given up at once when it is refused", async () => {
    const { server, port } = await listening();
    server.close();
    await once(server, "close");
    await assert.rejects(dial({ host: "127.0.0.1", port }), { code: "ECONNREFUSED" });
  });

  it("is the only one that stays", async () => {
    const { server, port } = await listening();
    const made: Socket[] = [];
    const connectBy = ((options: NetConnectOpts) => {
      const socket = connect(options);
      made.push(socket);
      return socket;
    }) as typeof connect;
    const socket = await dial({ host: "127.0.0.1", port }, connectBy);
    assert.deepEqual(
      made.filter(({ destroyed }) => !destroyed),
      [socket],
    );
    socket.destroy();
    server.close();
  });
});
