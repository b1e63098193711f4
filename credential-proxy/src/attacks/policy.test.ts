import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compileRules } from "../rules/rules.ts";
import { canary, openRule, ProxyInProcess, refusalOf, upstreamRule } from "../testing/proxy.ts";
import { type Answer, FakeUpstream } from "../testing/upstream.ts";

const patienceMs = 5_000;

/** Sends until the answer is as wanted: within the time in which a change has to count. */
async function untilAnswered(proxy: ProxyInProcess, status: number) {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await proxy.send();
    if (answer.status === status) return answer;
    assert.ok(performance.now() < deadline, `still ${answer.status} after ${patienceMs} ms`);
  }
}

const accepting =
  (key: () => string): Answer =>
  (request, response) =>
    response.writeHead(request.headers["x-api-key"] === key() ? 200 : 401).end("{}");

describe("rules and keys that change", { timeout: 60_000 }, () => {
  it("G9: a rotated key counts without a failed request, and a running stream ends in peace", async () => {
    let valid = canary;
    const goOn = Promise.withResolvers<void>();
    await using upstream = await FakeUpstream.start(async (request, response) => {
      if (request.url !== "/v1/stream") {
        accepting(() => valid)(request, response, "");
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      await goOn.promise;
      response.end("data: 2\n\n");
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const stream = proxy.open({ path: "/api/v1/stream" });
    stream.end("{}");
    const [response] = await once(stream, "response");
    await once(response, "data");
    for (let rotation = 1; rotation <= 20; rotation++) {
      // As it goes: the new key is stored first, and the old one is refused from then on.
      valid = `sk-rotated-${rotation}-${"x".repeat(20)}`;
      await proxy.writeKey("api", valid);
      const answers = await Promise.all(Array.from({ length: 5 }, () => proxy.send({ body: "x".repeat(100_000) })));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 200, 200],
      );
    }
    const ended = once(response.resume(), "end");
    goOn.resolve();
    await ended;
  });

  it("G9: a key that is refused and has not changed is not tried again", async () => {
    await using upstream = await FakeUpstream.start(accepting(() => "another"));
    await using proxy = await ProxyInProcess.for(upstream.url);
    const answer = await proxy.send();
    assert.deepEqual([answer.status, answer.text, upstream.seen.length], [401, "{}", 1]);
  });

  it("G9: a key that is not there yet counts as soon as it is", async () => {
    await using upstream = await FakeUpstream.start();
    const rule = openRule("api", upstream.url, { secret: { name: "later", key: "other" } });
    const rules = { group: "team", upstreams: [upstreamRule("api", upstream.url)], rules: [rule] };
    await using proxy = await ProxyInProcess.create(rules);
    assert.deepEqual(refusalOf(await proxy.send()), [503, "secretMissing"]);
    await proxy.writeRules({ ...rules, rules: [{ ...rule, secret: { name: "later", key: "key" }, revision: 1 }] });
    await untilAnswered(proxy, 200);
    assert.equal(upstream.last.headers["x-api-key"], canary);
  });

  it("G11: a credential that is taken away is refused, and its streams are cut", async () => {
    await using upstream = await FakeUpstream.start((request, response) => {
      if (request.url !== "/v1/stream") return response.end("{}");
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      return response;
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const stream = proxy.open({ path: "/api/v1/stream" });
    stream.on("error", () => undefined).end("{}");
    const [response] = await once(stream, "response");
    response.on("error", () => undefined).resume();
    const cut = new Promise((resolve) => response.once("close", resolve));
    const began = performance.now();
    await proxy.writeRules({ group: "team", upstreams: [], rules: [] });
    await cut;
    assert.equal(response.complete, false);
    await untilAnswered(proxy, 404);
    assert.ok(performance.now() - began < patienceMs);
  });

  it("G11: a credential that leads elsewhere now has no answer from where it led before", async () => {
    await using before = await FakeUpstream.start((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    });
    await using after = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(before.url);
    const stream = proxy.open();
    stream.on("error", () => undefined).end("{}");
    const [response] = await once(stream, "response");
    response.on("error", () => undefined).resume();
    const cut = new Promise((resolve) => response.once("close", resolve));
    await proxy.writeRules({
      group: "team",
      upstreams: [upstreamRule("api", after.url)],
      rules: [openRule("api", after.url)],
    });
    await cut;
    assert.equal(response.complete, false);
    assert.equal((await proxy.send()).status, 200);
    assert.deepEqual([before.seen.length, after.seen.length], [1, 1]);
  });

  it("G14: rules that could let more through than was meant are not loaded", () => {
    const url = "https://api.example.com";
    const upstreams = [upstreamRule("api", url)];
    const rule = openRule("api", url);
    const good = { group: "team", upstreams, rules: [rule] };
    assert.ok(compileRules(good));
    const bad: readonly unknown[] = [
      ...[undefined, null, {}, [], { ...good, extra: 1 }, { ...good, upstreams: [{ ...upstreams[0], extra: 1 }] }],
      { ...good, rules: [{ ...rule, extra: 1 }] },
      { ...good, upstreams: [...upstreams, ...upstreams] },
      // The same requests for two credentials: which key goes out would be chance.
      { ...good, rules: [rule, openRule("other", url)] },
      {
        ...good,
        rules: [openRule("other", url, { paths: ["/v1/*"] }), openRule("api", url, { paths: ["/v1/messages"] })],
      },
      { ...good, rules: [openRule("other", url, { hosts: ["*.example.com"] }), rule] },
      { ...good, rules: [rule, { ...rule, secret: { name: "another", key: "key" } }] },
      ...["/v1/mess*", "v1", "/a/**/b", "", "/a?b", "/%2e"].map((path) => ({
        ...good,
        rules: [{ ...rule, paths: [path] }],
      })),
      ...["get", "POST "].map((method) => ({ ...good, rules: [{ ...rule, methods: [method] }] })),
      ...["Host", "content-length", "connection", "x y"].map((header) => ({
        ...good,
        rules: [{ ...rule, inject: { header, format: "{secret}" } }],
      })),
      ...["Bearer", "{secret}{secret}", "{secret}\r\nx: y"].map((format) => ({
        ...good,
        rules: [{ ...rule, inject: { header: "x-api-key", format } }],
      })),
      ...["..", "a/b", ".", "../x"].map((name) => ({ ...good, rules: [{ ...rule, secret: { name, key: "key" } }] })),
    ];
    for (const rules of bad) assert.throws(() => compileRules(rules), { code: "invalid" }, JSON.stringify(rules));
    const apart = [openRule("other", url, { paths: ["/v2/**"] }), openRule("api", url, { paths: ["/v1/**"] })];
    assert.ok(compileRules({ ...good, rules: apart }));
  });

  it("G14: a proxy does not start with rules that are not valid, and keeps the last good ones later", async () => {
    await assert.rejects(
      ProxyInProcess.create(JSON.parse('{"group":"team","upstreams":[],"rules":[],"allowAll":true}')),
      {
        code: "invalid",
      },
    );
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    for (const rules of ["{", '{"group":"team","upstreams":[]}']) {
      const before = proxy.logs.length;
      await proxy.writeRules(rules);
      while (!proxy.logs.slice(before).includes("new rules are not valid"))
        assert.equal((await proxy.send()).status, 200);
    }
    await proxy.writeRules({ group: "team", upstreams: [], rules: [] });
    await untilAnswered(proxy, 404);
  });

  it("G15: what the proxy loads is little, locked by hash, and runs nothing when it is installed", async () => {
    const root = new URL("../../..", import.meta.url);
    const read = async (path: string) => JSON.parse(await readFile(fileURLToPath(new URL(path, root)), "utf8"));
    const { packages } = await read("package-lock.json");
    const { dependencies } = await read("credential-proxy/package.json");
    const names = new Set<string>();
    const visit = (name: string): void => {
      if (names.has(name) || name.startsWith("@copepod/")) return;
      names.add(name);
      for (const next of Object.keys(packages[`node_modules/${name}`].dependencies ?? {})) visit(next);
    };
    Object.keys(dependencies).forEach(visit);
    assert.ok(Object.keys(dependencies).length <= 10 && names.size <= 24, [...names].join());
    for (const name of names) {
      const entry = packages[`node_modules/${name}`];
      assert.match(entry.integrity, /^sha512-/, name);
      assert.equal(entry.hasInstallScript, undefined, name);
    }
    for (const version of Object.values(dependencies)) assert.match(String(version), /^\d+\.\d+\.\d+$/);
  });
});
