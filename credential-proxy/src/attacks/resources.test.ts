import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Answered,
  codeOfAnswer,
  ProxyInProcess,
  readAnswer,
  refusalOf,
  sessionPlaceholder,
} from "../testing/proxy.ts";
import { FakeUpstream, portOf } from "../testing/upstream.ts";
import { createUsageScan } from "../usage/scan.ts";

const mebi = 1024 * 1024;
const mailbox = { path: "/v1/mailbox/take", headers: { authorization: `Bearer ${sessionPlaceholder}` } };

describe("what the proxy can be made to hold", { timeout: 60_000 }, () => {
  it("F1: a head or a body that does not come is not waited for", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url, { limits: { headMs: 300, requestMs: 600, lookMs: 50 } });
    const key = `x-api-key: ${proxy.placeholders.of("api")}`;
    const slowHead = await proxy.sendRaw("POST /api/v1 HTTP/1.1\r\nHost: a\r\n", 5_000);
    assert.match(slowHead, /^HTTP\/1\.1 408 /);
    const slowBody = await proxy.sendRaw(
      `POST /api/v1 HTTP/1.1\r\nHost: a\r\n${key}\r\nContent-Length: 10\r\n\r\n{`,
      5_000,
    );
    assert.match(slowBody, /^HTTP\/1\.1 408 /);
    assert.equal(upstream.seen.length, 0);
  });

  it("F1: connections are bounded", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url, { limits: { maxConnections: 3 } });
    const idle = Array.from({ length: 3 }, () => connect(proxy.socketPath));
    await Promise.all(idle.map((socket) => once(socket, "connect")));
    const fourth = connect(proxy.socketPath);
    fourth.on("error", () => undefined);
    await once(fourth, "close");
    for (const socket of idle) socket.destroy();
  });

  it("F2: a client that does not read holds up the upstream, not the memory of the proxy", async () => {
    let written = 0;
    await using upstream = await FakeUpstream.start((_request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      const chunk = Buffer.alloc(64 * 1024, "x");
      const write = () => {
        while (response.write(chunk) && written < 64 * mebi) written += chunk.length;
        if (written < 64 * mebi) response.once("drain", write);
      };
      write();
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const request = proxy.open();
    request.end("{}");
    const [response] = await once(request, "response");
    await untilUnchanged(() => written, proxy);
    assert.ok(written < 16 * mebi, `${written} bytes went into connections and buffers that nobody reads`);
    response.destroy();
  });

  it("F2: an upstream that does not read holds up the client, and a body has a bound", async () => {
    const slow = createServer((socket) => socket.pause().on("error", () => undefined)).listen(0, "127.0.0.1");
    await once(slow, "listening");
    await using proxy = await ProxyInProcess.for(`http://127.0.0.1:${portOf(slow.address())}`);
    const upload = proxy.open({ headers: { "transfer-encoding": "chunked" } });
    upload.on("error", () => undefined);
    const chunk = Buffer.alloc(256 * 1024);
    let sent = 0;
    const write = () => {
      while (sent < 60 * mebi && upload.write(chunk)) sent += chunk.length;
      if (sent < 60 * mebi) upload.once("drain", write);
    };
    write();
    await untilUnchanged(() => sent, proxy);
    assert.ok(sent < 16 * mebi, `${sent} bytes were taken`);
    upload.destroy();
    slow.close();

    await using upstream = await FakeUpstream.start();
    await using bounded = await ProxyInProcess.for(upstream.url, { limits: { maxModelBodyBytes: mebi } });
    const announced = bounded.open({ headers: { "content-length": String(mebi + 1) } });
    announced.on("error", () => undefined);
    announced.flushHeaders();
    const [refused] = await once(announced, "response");
    assert.equal(refused.statusCode, 413);
    announced.destroy();
    const chunked = bounded.open({ headers: { "transfer-encoding": "chunked" } });
    chunked.on("error", () => undefined);
    chunked.write(Buffer.alloc(mebi));
    chunked.write("one more");
    assert.equal((await readAnswer(chunked)).status, 413);
    assert.equal(upstream.seen.length, 0);
    assert.equal((await bounded.send({ body: Buffer.alloc(mebi) })).status, 200, "the control");
  });

  it("F2: requests to models have a bound of their own, so that the mailbox always gets through", async () => {
    const all = Promise.withResolvers<void>();
    let waiting = 0;
    await using upstream = await FakeUpstream.start(() => {
      if (++waiting === 4) all.resolve();
    });
    await using proxy = await ProxyInProcess.for(upstream.url, { limits: { maxModelRequests: 4 } });
    const held = Array.from({ length: 4 }, () => proxy.open());
    for (const request of held) request.on("error", () => undefined).end("{}");
    await all.promise;
    assert.deepEqual(refusalOf(await proxy.send()), [503, "unavailable"]);
    const relayed = await proxy.send(mailbox);
    assert.equal(relayed.status, 200, relayed.text + proxy.logs);
    for (const request of held) request.destroy();
    upstream.answer = (_request, response) => response.end("{}");
    for (;;) if ((await proxy.send()).status === 200) break;
  });

  it("F3: the upstream hears at once that the client has gone, and what was seen is counted", async () => {
    const left = Promise.withResolvers<void>();
    await using upstream = await FakeUpstream.start((request, response) => {
      request.socket.once("close", () => left.resolve());
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(
        'data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":7,"output_tokens":1}}}\n\n',
      );
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const request = proxy.open();
    request.on("error", () => undefined);
    request.end("{}");
    const [response] = await once(request, "response");
    response.on("error", () => undefined);
    await once(response, "data");
    const began = performance.now();
    request.destroy();
    await left.promise;
    assert.ok(performance.now() - began < 2_000);
    const [entry] = proxy.usage;
    assert.deepEqual([entry?.model, entry?.inputTokens, entry?.outputTokens, entry?.status], ["m", 7, 1, 200]);
  });

  it("F3: a client that goes before its body has come reaches no upstream", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const request = proxy.open({ headers: { "content-length": "100" } });
    request.on("error", () => undefined);
    request.write("{", () => request.destroy());
    await new Promise((resolve) => request.once("close", resolve));
    assert.equal((await proxy.send()).status, 200);
    assert.equal(upstream.seen.length, 1);
  });

  it("F3: an answer that breaks off at the upstream breaks off at the client", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n", () => response.destroy());
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    await assert.rejects(proxy.send());
  });

  it("F4: a WebSocket is refused in a way that clients fall back from", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "x",
      "sec-websocket-version": "13",
    };
    const answer = await proxy.send({ method: "GET", path: "/api/v1/responses", headers });
    assert.deepEqual(refusalOf(answer), [426, "upgradeRefused"]);
    assert.equal(answer.headers["x-copepod-error"], "upgradeRefused");
    assert.equal(upstream.connections, 0);
  });

  it("F5: HTTP/2 is not spoken, however it is asked for", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    assert.match(await proxy.sendRaw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /^HTTP\/1\.1 (400|405) /);
    const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABkAAQAAP__" };
    assert.equal((await proxy.send({ headers })).status, 426);
    assert.equal(upstream.connections, 0);
  });

  it("F6: large bodies stream both ways", async () => {
    await using upstream = await FakeUpstream.start((_request, response, body) => response.end(body));
    await using proxy = await ProxyInProcess.for(upstream.url);
    for (const size of [0, 1, 64 * 1024, 64 * 1024 + 1, mebi + 1, 20 * mebi]) {
      const body = Buffer.alloc(size, "abcdefg");
      for (const headers of [{ "content-length": String(size) }, { "transfer-encoding": "chunked" }]) {
        const answer = await proxy.send({ body, headers });
        assert.ok(
          answer.status === 200 && answer.text === body.toString("latin1"),
          `${size} ${JSON.stringify(headers)}`,
        );
      }
    }
  });

  it("F7: the upstream is asked for plain text, and nothing compressed is unpacked", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      response
        .writeHead(200, { "content-encoding": "gzip", "content-type": "application/json" })
        .end(Buffer.alloc(1_000));
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const answer = await proxy.send({ headers: { "accept-encoding": "gzip, br, zstd" } });
    assert.equal(codeOfAnswer(answer), "upstreamFailed");
    assert.equal(upstream.last.headers["accept-encoding"], "identity");
  });

  it("F8: no answer makes the count of usage grow beyond its bound or believe a text", () => {
    const real = '{"type":"message_start","message":{"model":"claude","usage":{"input_tokens":3,"output_tokens":1}}}';
    const fake =
      '{"type":"content_block_delta","delta":{"text":"\\"usage\\":{\\"input_tokens\\":999}"},"usage":{"input_tokens":999}}';
    const nested =
      '{"type":"message_delta","content":[{"usage":{"output_tokens":999}}],"x":{"usage":{"output_tokens":999}},"usage":{"output_tokens":5}}';
    const bomb = `{"a":${"[".repeat(100_000)}`;
    const noise = fc.constantFrom(
      fake,
      "not json",
      "[DONE]",
      "{",
      '"',
      bomb,
      `{"text":"${"é€😀".repeat(300)}"}`,
      "x".repeat(200_000),
    );
    fc.assert(
      fc.property(
        fc.array(noise, { maxLength: 4 }),
        fc.array(noise, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5_000 }),
        (before, after, size) => {
          const events = [...before, real, ...after, nested].map((data) => `event: x\r\ndata: ${data}\r\n\r\n`);
          const bytes = Buffer.from(events.join(""));
          const scan = createUsageScan("text/event-stream");
          for (let at = 0; at < bytes.length; at += size) scan?.push(bytes.subarray(at, at + size));
          const counts = scan?.counts();
          assert.deepEqual([counts?.model, counts?.inputTokens, counts?.outputTokens], ["claude", 3, 5]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("F10: a resolver, an upstream or an answer that hangs is given up", async () => {
    const limits = { dnsMs: 200, connectMs: 300, answerHeadMs: 300, answerIdleMs: 300 };
    const hanging = { limits, resolve: () => new Promise<never>(() => undefined) };
    await using noName = await ProxyInProcess.for("http://hangs.example:80", hanging);
    assert.deepEqual(refusalOf(await noName.send()), [502, "upstreamFailed"]);
    await using silent = await FakeUpstream.start(() => undefined);
    await using noAnswer = await ProxyInProcess.for(silent.url, { limits });
    assert.deepEqual(refusalOf(await noAnswer.send()), [502, "upstreamFailed"]);
    await using stalling = await FakeUpstream.start((_request, response) => void response.write("half"));
    await using noEnd = await ProxyInProcess.for(stalling.url, { limits });
    await assert.rejects(noEnd.send().then((answer: Answered) => answer.text));
  });
});

/** All runs in this process: what can go on goes on while other requests are answered. */
async function untilUnchanged(count: () => number, proxy: ProxyInProcess): Promise<void> {
  for (let [last, rounds] = [0, 0]; rounds < 50; rounds++) {
    assert.equal((await proxy.send(mailbox)).status, 200);
    if (count() !== last) rounds = 0;
    last = count();
  }
}
