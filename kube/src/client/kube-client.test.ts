import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { callBackoff, callTimeoutMs, maxAnswerBytes, maxCallSockets, silenceMs } from "./limits.ts";
import type { ExchangeReport } from "./observer.ts";
import { cut, hang, json, maps, object, status, TestApi, WatchedClock, web } from "./testing/api.ts";

/** The first pause between tries when the drawn part of it is zero. */
const firstPauseMs = callBackoff.firstMs / 2;
const clock = systemClock;

describe("what the client sends", () => {
  it("are reads with who it is", async () => {
    await using api = await TestApi.start();
    assert.deepEqual(await api.client({ clock }).get(maps, web), object);
    const [request] = api.requests;
    assert.equal(request?.url.pathname, "/api/v1/namespaces/default/configmaps/web");
    assert.equal(request.headers.authorization, "Bearer sesame");
    assert.equal(request.headers["user-agent"], "test/1");
  });

  it("are writes that refuse unknown fields and name who manages the fields", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    await client.create(maps, { metadata: web });
    await client.mergePatch(maps, { ...web, uid: "u", resourceVersion: "7" }, { metadata: { labels: { a: "b" } } });
    await client.apply(maps, { metadata: web }, { fieldManager: "me", force: true });
    const [create, merge, apply] = api.requests;
    for (const { url } of api.requests) assert.equal(url.searchParams.get("fieldValidation"), "Strict");
    const managers = api.requests.map(({ url }) => url.searchParams.get("fieldManager"));
    assert.deepEqual(managers, ["test", "test", "me"]);
    assert.deepEqual(JSON.parse(create?.body ?? ""), { apiVersion: "v1", kind: "ConfigMap", metadata: web });
    assert.deepEqual(JSON.parse(merge?.body ?? ""), {
      metadata: { labels: { a: "b" }, uid: "u", resourceVersion: "7" },
    });
    assert.equal(apply?.headers["content-type"], "application/apply-patch+yaml");
    assert.equal(apply.url.searchParams.get("force"), "true");
  });

  it("are deletes with preconditions, done also when nothing is left to delete", async () => {
    await using api = await TestApi.start();
    api.queue(status(404, "NotFound"));
    await api.client({ clock }).delete(maps, { ...web, uid: "u" }, { propagationPolicy: "Foreground" });
    const { preconditions, propagationPolicy } = JSON.parse(api.requests[0]?.body ?? "");
    assert.deepEqual(
      { preconditions, propagationPolicy },
      { preconditions: { uid: "u" }, propagationPolicy: "Foreground" },
    );
  });

  it("is nothing for an object without its namespace", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    await assert.rejects(client.get(maps, { name: "web" }), /configmaps web has no namespace/);
    await assert.rejects(client.create(maps, { metadata: { name: "web" } }), { code: "invalid" });
    assert.equal(api.requests.length, 0);
  });

  it("goes to a server whose address is one of IPv6 as well", async (t) => {
    await using api = await TestApi.start(0, "::1").catch(() => ({
      skipped: true,
      [Symbol.asyncDispose]: async () => {},
    }));
    if ("skipped" in api) return t.skip("this machine has no IPv6");
    assert.deepEqual(await api.client({ clock }).get(maps, web), object);
  });

  it("goes over few connections", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock, rate: { perSecond: 10_000, burst: 1_000 } });
    for (let call = 0; call < 300; call++) await client.get(maps, web);
    assert.equal(api.sockets, 1);
    await Promise.all(Array.from({ length: 100 }, () => client.get(maps, web)));
    assert.ok(api.sockets <= 32, `${api.sockets} connections`);
  });

  it("are pages that follow each other until the last, whose objects all say what they are", async () => {
    await using api = await TestApi.start();
    const items = [{ metadata: web }];
    api.queue(
      json(200, { metadata: { resourceVersion: "5", continue: "next" }, items }),
      json(200, { metadata: { resourceVersion: "5" }, items: [object] }),
    );
    const pages = await Array.fromAsync(api.client({ clock }).list(maps, { labelSelector: "a=b" }));
    assert.deepEqual(
      pages.map(({ resourceVersion, items: [item] }) => [resourceVersion, item?.kind, item?.apiVersion]),
      [
        ["5", "ConfigMap", "v1"],
        ["5", "ConfigMap", "v1"],
      ],
    );
    assert.deepEqual(
      api.requests.map(({ url }) => url.search),
      ["?labelSelector=a%3Db&limit=500", "?labelSelector=a%3Db&limit=500&continue=next"],
    );
  });
});

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

describe("an answer", () => {
  it("that is too large is not read", async () => {
    await using api = await TestApi.start();
    const chunk = Buffer.alloc(1024 * 1024, " ");
    api.otherwise = (response) => {
      response.on("error", () => undefined);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    await assert.rejects(api.client({ clock }).get(maps, web), {
      code: "tooLarge",
      message: `get configmaps default/web: the answer is larger than ${maxAnswerBytes} bytes; ask for less at once`,
    });
    assert.equal(api.requests.length, 1);
  });

  it("that is no object is an outage", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    for (const body of ["", "<html>", "7", "null", "[]", "{}"]) {
      api.queue((response) => response.writeHead(200).end(body));
      await assert.rejects(client.get(maps, web), { code: "clusterUnavailable" });
    }
    api.queue(json(200, { metadata: {}, items: 7 }), json(200, { metadata: { resourceVersion: "1" }, items: [7] }));
    for (const _ of [1, 2]) await assert.rejects(client.page(maps), { code: "clusterUnavailable" });
  });
});

describe("a refused identity", () => {
  it("is read again and the call repeated, once", async () => {
    await using api = await TestApi.start();
    let token = "old";
    const identity = async () => ({ endpoint: { server: api.address }, headers: { authorization: token } });
    const client = api.client({ clock, identity });
    await client.get(maps, web);
    token = "new";
    api.queue(status(401, "Unauthorized"));
    await client.create(maps, { metadata: web });
    assert.deepEqual(
      api.requests.map(({ headers }) => headers.authorization),
      ["old", "old", "new"],
    );
    api.queue(status(401, "Unauthorized"));
    await assert.rejects(client.get(maps, web), { code: "unauthorized" });
    assert.equal(api.requests.length, 4);
  });

  it("is in no error", async () => {
    await using api = await TestApi.start();
    api.queue(status(401, "Unauthorized"), cut);
    const client = api.client({ clock });
    for (const _ of [1, 2]) {
      const error = await client.create(maps, { metadata: web }).catch((caught) => caught);
      assert.ok(!inspectDeeply(error).includes("sesame"));
    }
  });
});

describe("what the observer is told", () => {
  it("is each exchange, also of a watch, and each wait for the own rate limit", async () => {
    await using api = await TestApi.start();
    const told: unknown[] = [];
    const client = api.client({
      clock,
      rate: { perSecond: 2, burst: 2 },
      observer: {
        exchanged: ({ method, code, host }) => told.push([method, code, host]),
        waited: ({ verb, host, seconds }) => told.push([verb, seconds > 0, host]),
      },
    });
    api.queue(status(503, ""));
    await client.get(maps, web);
    await Array.fromAsync(client.watch(maps, { resourceVersion: "1", timeoutSeconds: 1, inactivityMs: 1_000 })).catch(
      () => undefined,
    );
    await client.get(maps, web);
    const { host } = new URL(api.address);
    const get = ["GET", "200", host];
    assert.deepEqual(told.slice(0, 3), [["GET", "503", host], get, get]);
    assert.ok(told.some((entry) => Array.isArray(entry) && entry[1] === true));
  });
});

async function turnsUntil(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function inspectDeeply(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  return `${error.stack} ${JSON.stringify(error)} ${error.cause === undefined ? "" : inspectDeeply(error.cause)}`;
}
