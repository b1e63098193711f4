import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { systemClock } from "../clock.ts";
import { callBackoff, connectTimeoutMs, identityAgeMs, maxCallSockets } from "./limits.ts";
import { hang, maps, TestApi, WatchedClock, web } from "./testing/api.ts";

describe("a connection", () => {
  it("whose handshake hangs is given up soon, and a create tried again: nothing was sent", async (t) => {
    const silent = createServer();
    let connections = 0;
    silent.on("connection", (socket) => {
      connections++;
      socket.on("error", () => undefined);
    });
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    t.after(() => silent.close());
    const address = silent.address();
    const server = `https://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const time = new WatchedClock();
    await using api = await TestApi.start();
    let reads = 0;
    const identity = async () => {
      reads++;
      return { endpoint: { server }, headers: {} };
    };
    const created = api.client({ clock: time.clock, identity }).create(maps, { metadata: web });
    for (let attempt = 1; attempt <= 2; attempt++) {
      await t.waitFor(() => assert.equal(time.timers.filter((ms) => ms === connectTimeoutMs).length, attempt));
      await t.waitFor(() => assert.equal(connections, attempt));
      time.pass(connectTimeoutMs);
      const pauseMs = (callBackoff.firstMs / 2) * 2 ** (attempt - 1);
      await t.waitFor(() => assert.ok(time.timers.includes(pauseMs)));
      time.pass(pauseMs);
    }
    // A certificate that was rotated meanwhile would be seen.
    assert.ok(reads >= 2);
    time.pass(60_000);
    await assert.rejects(created, /not done within 30000 ms; the last try: .*no connection in 5000 ms/);
  });

  it("is another one once the endpoint is another, and the old one ends with what it carries", async (t) => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    let ca = "old";
    const identity = async () => ({ endpoint: { server: api.address, ca }, headers: {} });
    const client = api.client({ clock: time.clock, identity });
    const held: (() => void)[] = [];
    api.queue((response) => held.push(() => response.end(JSON.stringify({ metadata: web }))));
    const carried = client.get(maps, web);
    await t.waitFor(() => assert.equal(api.requests.length, 1));
    await client.get(maps, web);
    assert.equal(await api.openSockets(), 2);
    ca = "new";
    time.pass(identityAgeMs);
    await client.get(maps, web);
    await t.waitFor(async () => assert.equal(await api.openSockets(), 2));
    held[0]?.();
    await carried;
    await t.waitFor(async () => assert.equal(await api.openSockets(), 1));
    assert.equal(api.sockets, 3);
  });

  it("that is waited for can be waited for no longer", async (t) => {
    await using api = await TestApi.start();
    const client = api.client({ clock: systemClock });
    api.otherwise = hang;
    const held = Array.from({ length: maxCallSockets }, () => client.get(maps, web).catch(() => undefined));
    await t.waitFor(() => assert.equal(api.requests.length, maxCallSockets));
    await assert.rejects(client.get(maps, web, { timeoutMs: 50 }), /not done within 50 ms/);
    const aborter = new AbortController();
    const got = client.get(maps, web, { signal: aborter.signal });
    await new Promise(setImmediate);
    aborter.abort(new Error("enough"));
    await assert.rejects(got, /enough/);
    assert.equal(api.requests.length, maxCallSockets);
    await client.close();
    await Promise.all(held);
  });

  it("of a call that had no answer in its time is not used again, nor are those beside it", async (t) => {
    await using api = await TestApi.start();
    const client = api.client({ clock: systemClock });
    await Promise.all([client.get(maps, web), client.get(maps, web)]);
    api.queue(hang);
    await assert.rejects(client.create(maps, { metadata: web }, { timeoutMs: 50 }), /not done within 50 ms/);
    await t.waitFor(async () => assert.equal(await api.openSockets(), 0));
  });

  it("of a call that was given up is not used again", async (t) => {
    await using api = await TestApi.start();
    const client = api.client({ clock: systemClock });
    api.queue(hang);
    const aborter = new AbortController();
    const got = client.get(maps, web, { signal: aborter.signal });
    await t.waitFor(() => assert.equal(api.requests.length, 1));
    aborter.abort(new Error("enough"));
    await assert.rejects(got, /enough/);
    await t.waitFor(async () => assert.equal(await api.openSockets(), 0));
  });
});
