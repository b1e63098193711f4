import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../clock.ts";
import { cut, json, maps, object, status, TestApi, web } from "./testing/api.ts";

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
    assert.equal(apply.url.searchParams.has("dryRun"), false);
    await client.apply(maps, { metadata: web }, { fieldManager: "me", dryRun: true });
    assert.equal(api.requests[3]?.url.searchParams.get("dryRun"), "All");
  });

  it("are creates of a part of an object, such as a token", async () => {
    await using api = await TestApi.start();
    await api.client({ clock }).create(maps, { metadata: web }, { subresource: "token" });
    assert.equal(api.requests[0]?.url.pathname, "/api/v1/namespaces/default/configmaps/web/token");
  });

  it("are deletes with preconditions, done also when nothing is left to delete", async () => {
    await using api = await TestApi.start();
    api.queue(status(404, "NotFound"));
    await api.client({ clock }).delete(maps, { ...web, uid: "u" }, { gracePeriodSeconds: 5 });
    const { preconditions, gracePeriodSeconds } = JSON.parse(api.requests[0]?.body ?? "");
    assert.deepEqual({ preconditions, gracePeriodSeconds }, { preconditions: { uid: "u" }, gracePeriodSeconds: 5 });
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

function inspectDeeply(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  return `${error.stack} ${JSON.stringify(error)} ${error.cause === undefined ? "" : inspectDeeply(error.cause)}`;
}
