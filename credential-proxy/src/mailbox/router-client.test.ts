import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { createRouterClient, type RouterClient } from "./router-client.ts";

const never = new AbortController().signal;

async function serve(port = 0) {
  let connections = 0;
  const server: Server = createServer((call, response) => {
    call.resume();
    response.end(call.headers.authorization);
  });
  server.on("connection", () => connections++).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const clientOf = (url: string, more: { token?: () => Promise<string>; onAnswer?: (status: number) => void } = {}) =>
  createRouterClient({ address: { kind: "url", url }, token: async () => "t", connections: 4, ...more });

async function send(client: RouterClient): Promise<string> {
  const answer = await client.send({ method: "POST", path: "/v1/mailbox/x", headers: {}, body: "{}", signal: never });
  return (await answer.body.setEncoding("utf8").toArray()).join("");
}

describe("the router over TCP", { timeout: 30_000 }, () => {
  it("is called over one connection, with the present token", async () => {
    await using router = await serve();
    const tokens = ["first", "rotated"];
    await using client = clientOf(`http://127.0.0.1:${router.port}`, { token: async () => tokens.shift() ?? "" });
    assert.deepEqual([await send(client), await send(client)], ["Bearer first", "Bearer rotated"]);
    assert.equal(router.connections(), 1);
  });

  it("is unavailable while it is gone, and answers when it is back at the same place", async () => {
    const statuses: number[] = [];
    const first = await serve();
    await using client = clientOf(`http://127.0.0.1:${first.port}`, { onAnswer: (status) => statuses.push(status) });
    await send(client);
    await first[Symbol.asyncDispose]();
    await assert.rejects(send(client), { code: "unavailable" });
    await using _ = await serve(first.port);
    assert.equal(await send(client), "Bearer t");
    assert.deepEqual(statuses, [200, 0, 200]);
  });

  it("is unavailable under a name that nobody knows", async () => {
    await using client = clientOf("http://router.invalid:8081");
    await assert.rejects(send(client), { code: "unavailable" });
  });
});
