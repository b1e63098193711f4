import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { until } from "../../support/until.ts";
import { type Fault, FaultProxy } from "./fault-proxy.ts";

const bytes = 10_000;

describe("the fault-injecting proxy", () => {
  it("passes bytes both ways and counts the connections", async () => {
    await using world = await start();
    assert.equal(await world.read(), bytes);
    assert.equal(world.proxy.opened, 1);
    await until("the connection to end", () => world.proxy.open === 0);
  });

  const faults: readonly (readonly [Fault, string])[] = [
    [{ kind: "delay", ms: 200 }, "all of it, late"],
    [{ kind: "slow", bytesPerSecond: 50_000 }, "all of it, late"],
    [{ kind: "cut", afterBytes: 1_000 }, "a reset"],
    [{ kind: "cut", afterBytes: 0 }, "a reset"],
  ];
  for (const [fault, outcome] of faults) {
    it(`gives ${outcome} for ${JSON.stringify(fault)}`, async () => {
      await using world = await start();
      world.proxy.fault = fault;
      const startedAt = performance.now();
      const got = await world.read().catch(() => "a reset");
      const late = performance.now() - startedAt >= 150;
      assert.equal(got === bytes && late ? "all of it, late" : got, outcome);
    });
  }

  it("lets a hung connection go on where it was", async () => {
    await using world = await start();
    world.proxy.fault = { kind: "hang" };
    const reading = world.read();
    await until("the connection", () => world.proxy.open === 1);
    assert.equal(world.requests(), 0);
    world.proxy.fault = { kind: "pass" };
    assert.equal(await reading, bytes);
  });

  it("resets what is open and takes new connections", async () => {
    await using world = await start();
    world.proxy.fault = { kind: "hang" };
    const reading = assert.rejects(world.read());
    await until("the connection", () => world.proxy.open === 1);
    world.proxy.reset();
    await reading;
    world.proxy.fault = { kind: "pass" };
    assert.equal(await world.read(), bytes);
  });
});

async function start() {
  let requests = 0;
  const server = createServer((_, response) => {
    requests++;
    response.writeHead(200, { connection: "close" }).end(Buffer.alloc(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const proxy = await FaultProxy.start(`http://127.0.0.1:${port}`);
  return {
    proxy,
    requests: () => requests,
    read: async () => (await (await fetch(proxy.url)).arrayBuffer()).byteLength,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}
