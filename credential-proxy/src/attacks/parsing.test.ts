import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { canary, openRule, ProxyInProcess, refusalOf, upstreamRule } from "../testing/proxy.ts";
import { FakeUpstream, startRawUpstream } from "../testing/upstream.ts";

const refused = /^HTTP\/1\.1 (400|405|408|413|426|431|501) /;

/** Sends each head (without the placeholder and the closing) in turn; none may reach the upstream. */
async function expectRefused(heads: Readonly<Record<string, string>>): Promise<void> {
  await using upstream = await FakeUpstream.start();
  await using proxy = await ProxyInProcess.for(upstream.url);
  const key = `x-api-key: ${proxy.placeholders.of("api")}\r\n`;
  for (const [name, text] of Object.entries(heads)) {
    const answer = await proxy.sendRaw(text.replace("KEY", key));
    assert.match(answer, refused, `${name}: ${answer.slice(0, 200)}`);
    assert.equal(upstream.seen.length, 0, name);
  }
}

const post = (headers: string, body = ""): string =>
  `POST /api/v1/messages HTTP/1.1\r\nHost: a\r\nKEY${headers}\r\n\r\n${body}`;

describe("HTTP that can be read in two ways", { timeout: 60_000 }, () => {
  it("C1: framing that two parsers could understand differently is refused", async () => {
    await expectRefused({
      "length and chunked": post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      "chunked and length": post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
      "two lengths": post("Content-Length: 2\r\nContent-Length: 3", "{}"),
      "the same length twice": post("Content-Length: 2\r\nContent-Length: 2", "{}"),
      "a list of lengths": post("Content-Length: 2, 2", "{}"),
      "a signed length": post("Content-Length: +2", "{}"),
      "another coding": post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
      "chunked not last": post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
      "space before the colon": post("Content-Length : 2", "{}"),
      "a folded line": post("X-A: b\r\n c: d\r\nContent-Length: 2", "{}"),
      "a bare line feed": post("X-A: b\nContent-Length: 2", "{}"),
      "a bare carriage return": post("X-A: b\rX-B: c\r\nContent-Length: 2", "{}"),
      "a NUL": post("X-A: b\0\r\nContent-Length: 2", "{}"),
      "a chunk that is too long": post("Transfer-Encoding: chunked", "ffffffffffffffffff\r\n"),
      "no Host": "POST /api/v1/messages HTTP/1.1\r\nKEYContent-Length: 0\r\n\r\n",
    });
  });

  it("C2: only one chunked, and only with HTTP/1.1", async () => {
    await expectRefused({
      "gzip and chunked": post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
      "chunked twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      "chunked with HTTP/1.0": post("Transfer-Encoding: chunked", "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"),
    });
  });

  it("C3: a method without a body has none, and every other body is framed anew", async () => {
    await expectRefused({
      "GET with a length": post("Content-Length: 2", "{}").replace("POST", "GET"),
      "HEAD with chunks": post("Transfer-Encoding: chunked", "0\r\n\r\n").replace("POST", "HEAD"),
      "TRACE with a body": post("Content-Length: 2", "{}").replace("POST", "TRACE"),
    });
    await using upstream = await FakeUpstream.start();
    const rule = openRule("api", upstream.url, { methods: ["POST", "DELETE", "PATCH"] });
    const rules = { group: "team", upstreams: [upstreamRule("api", upstream.url)], rules: [rule] };
    await using proxy = await ProxyInProcess.create(rules);
    for (const method of ["DELETE", "PATCH", "POST"]) {
      const headers = { connection: "content-length, transfer-encoding", "content-length": "7" };
      await proxy.send({ method, body: '{"a":1}', headers });
      assert.deepEqual([upstream.last.method, upstream.last.body], [method, '{"a":1}']);
      await proxy.send({ method, body: '{"a":1}', headers: { "transfer-encoding": "chunked" } });
      assert.equal(upstream.last.body, '{"a":1}');
    }
  });

  it("C4: a path that is not plain is refused", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const paths = [
      "//evil.example/a",
      "/api//v1",
      "/api/\\evil",
      "/api/v1/../../admin",
      "/api/./v1",
      "/api/v1/..",
      "/api/..",
    ]
      .concat(["/api/%2e%2e/admin", "/api/.%2E/a", "/api/v1%2f..%2fa", "/api/v1%5ca", "/api/a%00b", "/api/a%0d%0ab"])
      .concat(["/api/a#frag", "/api/v1?x#y", "/api/v1;a=b/c", "/api/..;/admin", "/api/%252e%252e/a", "/api/%25252fa"])
      .concat(["/api/%3b", "/api/%23", "/api/%zz", "/api/%", "/api/%c0%ae%c0%ae/a", "/api/%c0%af"]);
    for (const path of paths) assert.deepEqual(refusalOf(await proxy.send({ path })), [400, "targetAmbiguous"], path);
    const raw = await proxy.sendRaw(
      `GET /api/\xff\xfe HTTP/1.1\r\nHost: a\r\nx-api-key: ${proxy.placeholders.of("api")}\r\n\r\n`,
    );
    assert.match(raw, refused);
    assert.equal(upstream.seen.length, 0);
    await proxy.send({ path: "/api/v1/models/gpt%20x:1/a~b?q=..%2f//&r=%2e" });
    assert.equal(upstream.last.url, "/v1/models/gpt%20x:1/a~b?q=..%2f//&r=%2e", "a plain path passes as it is spelled");
  });

  it("C4: of all paths, those that reach the upstream mean the same to a strict reader", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(`${upstream.url}/base`);
    const piece = fc.constantFrom(
      "/",
      ".",
      "..",
      "%2e",
      "%2f",
      "%5c",
      "%25",
      "a",
      "v1",
      ";",
      "#",
      "\\",
      "?",
      "&",
      "=",
      "%",
      "2e",
    );
    const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/api/${pieces.join("")}`);
    await fc.assert(
      fc.asyncProperty(path, async (asked) => {
        const before = upstream.seen.length;
        const { status } = await proxy.send({ path: asked, body: "" });
        if (upstream.seen.length === before) return assert.ok(status >= 400);
        const read = new URL(upstream.last.url, "http://reader");
        const [plain = ""] = upstream.last.url.split("?");
        assert.deepEqual([read.host, read.pathname], ["reader", plain]);
        assert.ok(
          decodeURIComponent(plain).startsWith("/base/") && !/\/\.\.?(\/|$)|\/\/|\\/.test(decodeURIComponent(plain)),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("C5: the target is a path and nothing else", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const key = `x-api-key: ${proxy.placeholders.of("api")}\r\ncontent-length: 0\r\nconnection: close`;
    for (const target of [`${upstream.url}/v1`, "http://evil.example/api/v1", "evil.example:443", "*", "api/v1"]) {
      const text = await proxy.sendRaw(`POST ${target} HTTP/1.1\r\nHost: a\r\n${key}\r\n\r\n`);
      assert.match(text, refused, target);
    }
    assert.match(
      await proxy.sendRaw(`CONNECT ${new URL(upstream.url).host} HTTP/1.1\r\nHost: a\r\n${key}\r\n\r\n`),
      /^HTTP\/1\.1 405 .*methodRefused/s,
    );
    assert.equal(upstream.connections, 0);
  });

  it("C6: Connection names no header that the proxy puts in, and takes none from an answer", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      response.writeHead(200, { connection: "keep-alive, x-hop", "x-hop": "1", "x-end": "2" }).end("{}");
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const headers = {
      connection: "x-api-key, authorization, x-private, content-type",
      "x-private": "1",
      "x-other": "2",
    };
    const answer = await proxy.send({ headers });
    const { headers: seen } = upstream.last;
    assert.deepEqual([seen["x-api-key"], seen["x-private"], seen["x-other"]], [canary, undefined, "2"]);
    assert.doesNotMatch(String(seen.connection), /x-/);
    assert.deepEqual([answer.headers["x-hop"], answer.headers["x-end"]], [undefined, "2"]);
  });

  it("C7: every spelling of a header for keys is one, and exactly one key goes out", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const aliases = [
      "X_Api_Key",
      "x.api.key",
      "X-API_KEY",
      "xapikey",
      "Authorization",
      "authoriz-ation",
      "Proxy-Authorization",
    ]
      .concat([
        "api-key",
        "x-goog-api-key",
        "Cookie",
        "x-auth-token",
        "x-access-token",
        "openai-api-key",
        "x-amz-security-token",
      ])
      .concat(["anthropic-api-key", "ocp-apim-subscription-key", "private-token", "x-authorization", "x-token"]);
    for (const name of aliases) {
      const headers = name.toLowerCase() === "x-api-key" ? {} : { [name]: "sk-foreign" };
      assert.deepEqual(refusalOf(await proxy.send({ headers })), [403, "credentialForeign"], name);
    }
    assert.equal(upstream.connections, 0);
    const own = proxy.placeholders.of("api");
    await proxy.send({ headers: { authorization: `Bearer ${own}`, "x-api-key": [own, own], X_Api_Key: own } });
    const { rawHeaders } = upstream.last;
    assert.deepEqual(
      rawHeaders.filter((value) => value === canary),
      [canary],
    );
    assert.ok(!rawHeaders.some((value) => value.includes(own)), "no placeholder leaves the session");
  });

  it("C8: a key that no header can carry is never sent", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    for (const key of ["a\r\nx-evil: 1", "a\nb", "a\0b", "schlüssel", "\u{1f511}", "", " \n ", "x".repeat(9_000)]) {
      await proxy.writeKey("api", key);
      assert.deepEqual(refusalOf(await waitForOther(proxy)), [503, "secretMissing"], JSON.stringify(key.slice(0, 20)));
    }
    assert.equal(upstream.seen.filter(({ headers }) => headers["x-api-key"] !== canary).length, 0);
    await proxy.writeKey("api", `  ${canary}\r\n`);
    assert.equal((await proxy.send()).status, 200);
    assert.equal(upstream.last.headers["x-api-key"], canary, "white space around a key is not part of it");
  });

  it("C9: a head that is too large is refused", async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: a`).join("\r\n");
    await expectRefused({
      "20 KiB in one header": post(`X-A: ${"a".repeat(20 * 1024)}\r\nContent-Length: 0`),
      "200 headers": post(`${many(200)}\r\nContent-Length: 0`),
      "3,000 headers": post(`${many(3_000)}\r\nContent-Length: 0`),
      "a long path": post("Content-Length: 0").replace("/messages", `/${"a".repeat(20 * 1024)}`),
    });
  });

  it("C10: what follows an upgrade is not taken for one, and gets nothing that it may not get alone", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const upgrade = `GET /api/v1 HTTP/1.1\r\nHost: a\r\nx-api-key: ${proxy.placeholders.of("api")}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`;
    const smuggled = "POST /api/v1/messages HTTP/1.1\r\nHost: a\r\nx-api-key: sk-foreign\r\nContent-Length: 0\r\n\r\n";
    const text = await proxy.sendRaw(upgrade + smuggled);
    assert.match(text, /^HTTP\/1\.1 426 /);
    assert.doesNotMatch(text, /HTTP\/1\.1 [123]\d\d/);
    assert.equal(upstream.connections, 0);
  });

  it("C11: the client may send its body only when its head has passed", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const allowed = proxy.open({ headers: { expect: "100-continue", "content-length": "2" } });
    allowed.flushHeaders();
    await once(allowed, "continue");
    allowed.end("{}");
    const [response] = await once(allowed, "response");
    assert.equal(response.statusCode, 200);
    assert.equal(upstream.last.headers.expect, undefined);
    const raw = await proxy.sendRaw(
      "POST /api/v1 HTTP/1.1\r\nHost: a\r\nx-api-key: sk-foreign\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert.match(raw, /^HTTP\/1\.1 403 /);
    assert.match(
      await proxy.sendRaw("POST /api/v1 HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 2\r\n\r\n"),
      /^HTTP\/1\.1 417 /,
    );
  });

  it("C12: an answer that can be read in two ways, or never gets to the point, is not passed on", async () => {
    const answers = {
      "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
      "length and chunked": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "a bare carriage return": "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c\r\nContent-Length: 2\r\n\r\n{}",
      "a flood of 1xx": `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}`,
      "an upgrade nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "a head that is too large": `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(20 * 1024)}\r\nContent-Length: 2\r\n\r\n{}`,
    };
    for (const [name, answer] of Object.entries(answers)) {
      await using upstream = await startRawUpstream(answer);
      await using proxy = await ProxyInProcess.for(upstream.url);
      assert.deepEqual(refusalOf(await proxy.send()), [502, "upstreamFailed"], name);
    }
    await using upstream = await startRawUpstream(
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    );
    await using proxy = await ProxyInProcess.for(upstream.url);
    assert.equal((await proxy.send()).status, 200, "the control");
  });

  it("C13: no two credentials share a connection", async () => {
    await using upstream = await FakeUpstream.start();
    const rules = {
      group: "team",
      upstreams: [upstreamRule("one", upstream.url), upstreamRule("two", upstream.url)],
      rules: [openRule("one", upstream.url, { paths: ["/one"] }), openRule("two", upstream.url, { paths: ["/two"] })],
    };
    await using proxy = await ProxyInProcess.create(rules);
    for (let round = 0; round < 3; round++) {
      assert.equal((await proxy.send({ path: "/one/one" })).status, 200);
      assert.equal((await proxy.send({ path: "/two/two" })).status, 200);
    }
    assert.equal(upstream.connections, 2);
  });

  it("takes a request in any pieces", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const text = `POST /api/v1 HTTP/1.1\r\nHost: a\r\nx-api-key: ${proxy.placeholders.of("api")}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
    const socket = connect(proxy.socketPath).setNoDelay();
    for (const byte of text) await new Promise((resolve) => socket.write(byte, resolve));
    const [answer] = await once(socket, "data");
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
    socket.destroy();
  });
});

/** The key that was just replaced may still count for a moment. */
async function waitForOther(proxy: ProxyInProcess) {
  for (;;) {
    const answer = await proxy.send();
    if (answer.status !== 200) return answer;
  }
}
