import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { callBackoff, callTimeoutMs, identityAgeMs, maxCallSockets, silenceMs } from "./limits.ts";
import type { ExchangeReport } from "./observer.ts";
import { cut, hang, json, maps, object, status, TestApi, WatchedClock, web } from "./testing/api.ts";

/** The first pause between tries when the drawn part of it is zero. */
const firstPauseMs = callBackoff.firstMs / 2;
const clock = systemClock;

describe("a try that failed", () => {
  const patch = { data: { a: "b" } };
  const bound = { ...web, resourceVersion: "7" };

  it("is repeated where it does no harm: reads, applies, patches and deletes that are bound", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const calls = [
      () => client.get(maps, web),
      () => client.apply(maps, { metadata: web }, { fieldManager: "me" }),
      () => client.mergePatch(maps, bound, patch),
      () => client.delete(maps, { ...web, uid: "u" }),
    ];
    for (const call of calls) {
      api.requests.length = 0;
      api.queue(status(503, "ServiceUnavailable"), cut);
      await call();
      assert.equal(api.requests.length, 3);
    }
  });

  it("is not repeated where the server may have done it: creates, and patches and deletes that are not bound", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const calls = [
      () => client.create(maps, { metadata: web }),
      () => client.mergePatch(maps, web, patch),
      () => client.delete(maps, web),
    ];
    for (const call of calls) {
      for (const answer of [status(503, "ServiceUnavailable"), cut]) {
        api.requests.length = 0;
        api.queue(answer);
        await assert.rejects(call, { code: "clusterUnavailable" });
        assert.equal(api.requests.length, 1);
      }
    }
  });

  it("has half of a long call for a read, and all of it for a create, until the server begins to answer", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    const client = api.client({ clock: time.clock });
    const timeoutMs = 4 * silenceMs;
    const late: (() => void)[] = [];
    api.otherwise = (response, request) => late.push(() => json(200, object)(response, request));
    const got = client.get(maps, web, { timeoutMs });
    const created = client.create(maps, { metadata: web }, { timeoutMs });
    await turnsUntil(() => late.length === 2);
    time.pass(timeoutMs / 2 - 1);
    await new Promise(setImmediate);
    time.pass(1);
    await turnsUntil(() => time.timers.includes(firstPauseMs));
    time.pass(firstPauseMs);
    await turnsUntil(() => late.length === 3);
    time.pass(timeoutMs / 2 - firstPauseMs - 1);
    for (const answer of late) answer();
    assert.deepEqual(await Promise.all([got, created]), [object, object]);
  });

  it("is not repeated for a create that had waited for a connection of another call", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const known = new WeakSet<object>();
    api.otherwise = (response, request) => {
      const { socket } = response;
      if (socket === null || known.has(socket)) return cut(response, request);
      known.add(socket);
      json(200, object)(response, request);
    };
    const creates = Array.from({ length: maxCallSockets + 3 }, () => client.create(maps, { metadata: web }));
    const results = await Promise.allSettled(creates);
    assert.equal(results.filter(({ status }) => status === "rejected").length, 3);
    assert.equal(api.requests.length, maxCallSockets + 3);
  });

  it("is repeated for a create too when the server says that it is too busy, or can't be reached", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    api.queue(status(429, "TooManyRequests"));
    await client.create(maps, { metadata: web });
    assert.equal(api.requests.length, 2);
  });

  it("is repeated for a create too when nobody listens yet", async () => {
    const former = await TestApi.start();
    const { port } = former;
    const identity = async () => ({ endpoint: { server: `http://127.0.0.1:${port}` }, headers: {} });
    await former[Symbol.asyncDispose]();
    const refused = Promise.withResolvers<ExchangeReport>();
    const observer = { exchanged: refused.resolve, waited: () => undefined };
    const client = former.client({ clock, identity, observer });
    const created = client.create(maps, { metadata: web });
    assert.equal((await refused.promise).code, "<error>");
    await using api = await TestApi.start(port);
    assert.deepEqual(await created, object);
    assert.equal(api.requests.length, 1);
  });

  it("waits as long as the server asks for, and longer each time without that", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    api.queue(status(503, ""), status(503, ""), status(429, "TooManyRequests", { "retry-after": "7" }));
    const got = api.client({ clock: time.clock }).get(maps, web);
    for (const pauseMs of [firstPauseMs, 2 * firstPauseMs, 7_000 + 4 * firstPauseMs]) {
      await turnsUntil(() => time.timers.includes(pauseMs));
      time.pass(pauseMs);
    }
    await got;
    assert.equal(api.requests.length, 4);
  });

  it("is the last one when the server asks for more time than the call has", async () => {
    await using api = await TestApi.start();
    api.queue(status(429, "TooManyRequests", { "retry-after": "60" }));
    await assert.rejects(api.client({ clock }).get(maps, web), { code: "rateLimited", retryAfterMs: 60_000 });
  });

  it("is not repeated when the server has said no", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    for (const code of [400, 403, 404, 409, 410, 422]) {
      api.queue(status(code, "No"));
      await assert.rejects(client.get(maps, web), (error) => error instanceof ApiError && error.status === code);
    }
    assert.equal(api.requests.length, 6);
  });
});

describe("a call ends", () => {
  it("after its time, with a sentence that names it and what it last met", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    api.queue(status(503, "ServiceUnavailable"), hang);
    const got = assert.rejects(api.client({ clock: time.clock }).get(maps, web), {
      code: "clusterUnavailable",
      message:
        "get configmaps default/web: not done within 30000 ms; " +
        "the last try: get configmaps default/web: it is ServiceUnavailable (HTTP 503)",
    });
    await turnsUntil(() => time.timers.includes(firstPauseMs));
    time.pass(firstPauseMs);
    await turnsUntil(() => api.requests.length === 2);
    time.pass(silenceMs / 2);
    time.pass(callTimeoutMs);
    await got;
  });

  it("a hung try after less than that, so that another one has time, and a new connection", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    const client = api.client({ clock: time.clock });
    await Promise.all([client.get(maps, web), client.get(maps, web)]);
    api.queue(hang);
    const got = client.get(maps, web);
    await turnsUntil(() => api.requests.length === 3);
    time.pass(silenceMs);
    await turnsUntil(() => time.timers.includes(firstPauseMs));
    time.pass(firstPauseMs);
    assert.deepEqual(await got, object);
    assert.equal(api.sockets, 3);
  });

  it("a try whose answer hangs in its middle, or is cut there", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    const half = JSON.stringify(object).slice(0, 20);
    api.queue(
      (response) => response.writeHead(200, { "content-length": "100" }).write(half),
      (response) => response.writeHead(200, { "content-length": "100" }).write(half, () => response.destroy()),
    );
    const got = api.client({ clock: time.clock }).get(maps, web);
    await turnsUntil(() => time.timers.filter((ms) => ms === silenceMs).length === 3);
    time.pass(silenceMs);
    for (const pauseMs of [firstPauseMs, 2 * firstPauseMs]) {
      await turnsUntil(() => time.timers.includes(pauseMs));
      time.pass(pauseMs);
    }
    assert.deepEqual(await got, object);
  });

  it("and leaves its turn to the next, when it is given up while it waits for the rate limit", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    const client = api.client({ clock: time.clock, rate: { perSecond: 1, burst: 1 } });
    await client.get(maps, web);
    const aborter = new AbortController();
    const given = assert.rejects(client.get(maps, web, { signal: aborter.signal }), /enough/);
    aborter.abort(new Error("enough"));
    await given;
    const next = client.get(maps, web);
    time.pass(1_000);
    assert.deepEqual(await next, object);
  });

  it("after its time also when it had waited for the rate limit, and its identity can't be read meanwhile", async () => {
    await using api = await TestApi.start();
    const { address: server } = api;
    let reads = 0;
    const time = new WatchedClock();
    const client = api.client({
      clock: time.clock,
      rate: { perSecond: 1, burst: 1 },
      identity: () => (reads++ === 0 ? Promise.resolve({ endpoint: { server }, headers: {} }) : new Promise(() => {})),
    });
    await client.get(maps, web);
    time.pass(identityAgeMs);
    const options = { timeoutMs: 2_000 };
    const calls = [client.get(maps, web, options), client.get(maps, web, options)];
    const ended = Promise.all(calls.map((call) => assert.rejects(call, /not done within 2000 ms/)));
    time.pass(1_000);
    await turnsUntil(() => reads === 2);
    time.pass(1_000);
    await ended;
  });

  it("with its signal's reason, whatever it waits for", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock, rate: { perSecond: 0.001, burst: 2 } });
    api.queue(hang, status(429, "", { "retry-after": "20" }));
    // The third call waits for the rate limit.
    for (const requests of [1, 2, 2]) {
      const aborter = new AbortController();
      const got = client.get(maps, web, { signal: aborter.signal });
      await turnsUntil(() => api.requests.length === requests);
      await new Promise(setImmediate);
      aborter.abort(new Error("enough"));
      await assert.rejects(got, /^Error: enough$/);
    }
    await assert.rejects(client.get(maps, web, { signal: AbortSignal.abort(new Error("before")) }), /before/);
  });

  it("with the client, which then takes no other", async () => {
    await using api = await TestApi.start();
    api.otherwise = hang;
    const client = api.client({ clock });
    const got = assert.rejects(client.get(maps, web), /the Kubernetes client is closed/);
    await turnsUntil(() => api.requests.length === 1);
    await client.close();
    await got;
    await assert.rejects(client.get(maps, web), { code: "unavailable" });
    const options = { resourceVersion: "1", timeoutSeconds: 60, inactivityMs: 60_000 };
    await assert.rejects(Array.fromAsync(client.watch(maps, options)), { code: "unavailable" });
  });
});

async function turnsUntil(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
