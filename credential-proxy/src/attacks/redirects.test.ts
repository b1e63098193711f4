import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isReachable } from "../network/addresses.ts";
import { compileRules } from "../rules/rules.ts";
import { createCertificate } from "../testing/certificate.ts";
import { canary, openRule, ProxyInProcess, refusalOf, upstreamRule } from "../testing/proxy.ts";
import { FakeUpstream } from "../testing/upstream.ts";

describe("redirects and the origin of an answer", { timeout: 60_000 }, () => {
  it("B1: a redirect goes to the client as it is, and is not followed", async () => {
    await using elsewhere = await FakeUpstream.start();
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `${elsewhere.url}/stolen`;
      await using upstream = await FakeUpstream.start((_request, response) => {
        response.writeHead(status, { location }).end();
      });
      await using proxy = await ProxyInProcess.for(upstream.url);
      const answer = await proxy.send();
      assert.deepEqual([answer.status, answer.headers.location], [status, location]);
      assert.equal(upstream.seen.length, 1);
    }
    assert.equal(elsewhere.connections, 0);
  });

  it("B2: plain http to a private host dials no public address, wherever the name leads", async () => {
    const plain = { isPrivate: true, isPlain: true, own: new Set<string>() };
    for (const address of ["8.8.8.8", "2606:4700::1111"]) {
      assert.deepEqual(
        [isReachable(address, plain), isReachable(address, { ...plain, isPlain: false })],
        [false, true],
      );
    }
    for (const address of ["10.0.0.1", "127.0.0.1", "fd00::1", "::1"]) assert.ok(isReachable(address, plain), address);
    await using byAddress = await ProxyInProcess.for("http://8.8.8.8");
    const refused = await byAddress.send();
    assert.deepEqual(refusalOf(refused), [403, "addressDenied"]);
    assert.match(refused.text, /http would show the key/);
    await using upstream = await FakeUpstream.start();
    let answers = ["8.8.8.8"];
    await using byName = await ProxyInProcess.for(`http://model.example.com:${upstream.port}`, {
      resolve: async () => answers.map((address) => ({ address, family: 4 })),
    });
    assert.deepEqual(refusalOf(await byName.send()), [403, "addressDenied"]);
    answers = ["8.8.8.8", "127.0.0.1"];
    assert.equal((await byName.send()).status, 200, "the control: only its private address is dialled");
  });

  it("B2: a key never goes over plain http to a host that is not private", async () => {
    for (const url of ["http://api.example.com", "http://93.184.216.34", "http://api.example.com:443"]) {
      const rules = { group: "team", upstreams: [upstreamRule("api", url, { private: false })], rules: [] };
      assert.throws(() => compileRules(rules), { code: "invalid", message: /must be https/ });
    }
    await using upstream = await FakeUpstream.start((_request, response) => {
      response.writeHead(302, { location: "http://127.0.0.1/again" }).end();
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    assert.equal((await proxy.send()).status, 302);
    const again = await proxy.sendRaw(
      "GET http://127.0.0.1/again HTTP/1.1\r\nHost: 127.0.0.1\r\nconnection: close\r\n\r\n",
    );
    assert.match(again, /^HTTP\/1\.1 400 .*targetAmbiguous/s);
  });

  it("B3: nothing in an answer leads the client around the proxy, and Location stays", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      const headers = { "alt-svc": 'h3=":443"', location: "/x", "set-cookie": "a=b", link: "<https://b.example>" };
      response.writeHead(200, headers).end("{}");
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const { headers } = await proxy.send();
    assert.deepEqual([headers["alt-svc"], headers["set-cookie"], headers.location], [undefined, undefined, "/x"]);
  });

  it("B5: two Host headers, or more than a host in one, are refused", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const key = `x-api-key: ${proxy.placeholders.of("api")}\r\ncontent-length: 0\r\nconnection: close`;
    for (const hosts of [
      "Host: a\r\nHost: a",
      "Host: a\r\nhost: b",
      "Host: user@a",
      "Host: a b",
      "Host: a:99999999",
      "Host:",
    ]) {
      const text = await proxy.sendRaw(`POST /api/v1/messages HTTP/1.1\r\n${hosts}\r\n${key}\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 400 /, hosts);
    }
    const oneHost = await proxy.sendRaw(`POST /api/v1/messages HTTP/1.1\r\nHost: a\r\n${key}\r\n\r\n`);
    assert.match(oneHost, /^HTTP\/1\.1 200 /, "the control");
    assert.equal(upstream.seen.length, 1);
    assert.equal(upstream.last.headers.host, `127.0.0.1:${upstream.port}`);
  });

  it("B9: where a key is put in, the same rule has let the request through", () => {
    const pattern = fc.constantFrom("/v1/messages", "/v1/*", "/v1/**", "/**", "/v1/models/*/x", "/");
    const rule = fc.record({
      path: pattern,
      host: fc.constantFrom("a.example", "b.example", "*.b.example", "a.example:8443"),
      method: fc.constantFrom("GET", "POST"),
      credential: fc.constantFrom("one", "two"),
    });
    const path = fc
      .array(fc.constantFrom("v1", "messages", "models", "x"), { maxLength: 4 })
      .map((parts) => `/${parts.join("/")}`);
    const host = fc.constantFrom("a.example", "b.example", "x.b.example", "a.example:8443", "a.example:443");
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), host, path, (drawn, askedHost, askedPath) => {
        const rules = drawn.map((one) =>
          openRule(one.credential, "https://x.example", {
            hosts: [one.host],
            paths: [one.path],
            methods: [one.method],
          }),
        );
        const table = compileOrNothing(rules);
        if (!table) return;
        const found = table.find({ host: askedHost, path: askedPath, method: "POST" });
        // The rules that would match alone: all of one credential, since overlaps are not loaded.
        const owners = rules.filter((one) =>
          compileRules({ group: "g", upstreams: [], rules: [one] }).find({
            host: askedHost,
            path: askedPath,
            method: "POST",
          }),
        );
        assert.equal(new Set(owners.map(({ credential }) => credential)).size <= 1, true);
        assert.equal(found?.credential, owners[0]?.credential);
      }),
    );
  });

  it("TLS: a certificate that nobody vouches for, or for another name, gets no key", async () => {
    const certificate = createCertificate(["api.test"]);
    await using upstream = await FakeUpstream.start(undefined, certificate);
    const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
    const port = upstream.port;
    await using trusting = await ProxyInProcess.for(`https://api.test:${port}`, { resolve, ca: certificate.cert });
    assert.equal((await trusting.send()).status, 200, "the control");
    assert.equal(upstream.last.headers["x-api-key"], canary);
    await using otherName = await ProxyInProcess.for(`https://other.test:${port}`, { resolve, ca: certificate.cert });
    assert.deepEqual(refusalOf(await otherName.send()), [502, "upstreamFailed"]);
    await using unknown = await ProxyInProcess.for(`https://api.test:${port}`, { resolve });
    assert.deepEqual(refusalOf(await unknown.send()), [502, "upstreamFailed"]);
    assert.equal(upstream.seen.length, 1);
  });
});

function compileOrNothing(rules: readonly ReturnType<typeof openRule>[]) {
  try {
    return compileRules({ group: "g", upstreams: [], rules });
  } catch {
    return undefined;
  }
}
