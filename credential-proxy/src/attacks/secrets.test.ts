import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { createEqualityCheck, createPlaceholders } from "../keys/placeholder.ts";
import { toRefusal } from "../model/failure.ts";
import {
  canary,
  openRule,
  ProxyInProcess,
  type ProxyOptions,
  readAnswer,
  refusalOf,
  type Sent,
  sessionPlaceholder,
  upstreamRule,
} from "../testing/proxy.ts";
import { type Answer, FakeUpstream, startRawUpstream } from "../testing/upstream.ts";

const hangUp: Answer = (_request, response) => response.destroy();

const foreign = [403, "credentialForeign"];
const echoed = [502, "secretEchoed"];

const encodings: Readonly<Record<string, string>> = {
  "as it is": canary,
  "in a URL": encodeURIComponent(canary),
  "in JSON": canary.replaceAll("/", "\\/"),
  "in base64": Buffer.from(canary).toString("base64"),
  "in base64url": Buffer.from(canary).toString("base64url"),
  "in basic authorization": Buffer.from(`user:${canary}`).toString("base64"),
  "in basic authorization, shifted": Buffer.from(`u:${canary}!`).toString("base64"),
};

/** Two credentials, each for its own paths of one upstream. */
async function withTwo(url: string, options?: ProxyOptions): Promise<ProxyInProcess> {
  const rules = {
    group: "team",
    upstreams: [upstreamRule("api", url), upstreamRule("other", url)],
    rules: [openRule("api", url, { paths: ["/v1/**"] }), openRule("other", url, { paths: ["/v2/**"] })],
  };
  return await ProxyInProcess.create(rules, options);
}

async function answerOf(answer: Answer) {
  await using upstream = await FakeUpstream.start(answer);
  await using proxy = await ProxyInProcess.for(upstream.url);
  return await proxy.send();
}

describe("keys that should get out", { timeout: 60_000 }, () => {
  it("D1: a placeholder is worth nothing at the upstream, at another proxy, or for the mailbox", async () => {
    const accepts: Answer = (request, response) => {
      response.writeHead(request.headers["x-api-key"] === canary ? 200 : 401).end("{}");
    };
    await using upstream = await FakeUpstream.start(accepts);
    await using proxy = await ProxyInProcess.for(upstream.url);
    const own = proxy.placeholders.of("api");
    const direct = await fetch(`${upstream.url}/v1/messages`, { method: "POST", headers: { "x-api-key": own } });
    assert.equal(direct.status, 401);
    const ofOther = createPlaceholders("placeholder-of-another-session").of("api");
    assert.deepEqual(refusalOf(await proxy.send({ headers: { "x-api-key": ofOther } })), foreign);
    const mailbox = { path: "/v1/mailbox/take", headers: { authorization: `Bearer ${own}` } };
    assert.deepEqual(refusalOf(await proxy.send(mailbox)), [401, "unauthorized"]);
    assert.equal((await proxy.send()).status, 200, "the control");
  });

  it("D2: the placeholder of one credential opens no other, and neither does the session's", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await withTwo(upstream.url);
    for (const value of [proxy.placeholders.of("other"), sessionPlaceholder]) {
      assert.deepEqual(refusalOf(await proxy.send({ path: "/api/v1/x", headers: { "x-api-key": value } })), foreign);
      const bearer = { authorization: `Bearer ${value}` };
      assert.deepEqual(refusalOf(await proxy.send({ path: "/api/v1/x", headers: bearer })), foreign);
    }
    assert.deepEqual(refusalOf(await proxy.send({ path: "/api/v2/x" })), [403, "requestNotAllowed"]);
    assert.equal(upstream.connections, 0);
    assert.equal((await proxy.send({ path: "/other/v2/x" })).status, 200, "the control");
  });

  it("D3: a key that the agent brought is refused wherever it may stand", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const own = proxy.placeholders.of("api");
    const basic = `Basic ${Buffer.from(`user:${own}`).toString("base64")}`;
    const headers = [
      { "x-api-key": "sk-foreign" },
      { authorization: "Bearer sk-foreign" },
      { authorization: "sk-foreign" },
    ]
      .concat([
        { authorization: basic },
        { authorization: `Bearer ${own}x` },
        { authorization: `Bearer ${own.toUpperCase()}` },
      ])
      .map((header): Readonly<Record<string, string | string[]>> => header);
    const both = [{ "x-api-key": [own, "sk-foreign"] }, { cookie: "session=abc" }, { "api-key": "sk-foreign" }];
    for (const header of [...headers, ...both]) {
      assert.deepEqual(refusalOf(await proxy.send({ headers: header })), foreign, JSON.stringify(header));
    }
    const queries = [
      "key=sk-foreign",
      "api_key=x",
      "api-key=x",
      "%61pi_key=x",
      "access_token=x",
      "a=b&token=x",
      "a=b;key=x",
    ].concat([
      "KEY=x",
      "key[]=x",
      "auth[key]=x",
      "client_secret=x",
      "X-Amz-Signature=x",
      "X-Amz-Security-Token=x",
      "sig=x",
    ]);
    for (const query of queries) {
      assert.deepEqual(refusalOf(await proxy.send({ path: `/api/v1/messages?${query}` })), foreign, query);
    }
    assert.equal(upstream.connections, 0);
    const bare = proxy.open({ headers: { "x-api-key": "" } });
    bare.end("{}");
    assert.deepEqual(refusalOf(await readAnswer(bare)), [401, "unauthorized"]);
    await proxy.send({ path: `/api/v1/messages?beta=true&key=${own}&page_token=2` });
    assert.equal(upstream.last.url, "/v1/messages?beta=true&page_token=2", "the control");
  });

  it("D3: every name that sounds like a key's is refused; what clients send otherwise goes on", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const headers = ["X-Api-Token", "api-token", "Helicone-Auth", "x-portkey-virtual-key", "x-litellm-key"]
      .concat(["X-Auth-Key", "X-Access-Key", "x-anthropic-auth", "jwt", "bearer", "cf-access-jwt-assertion"])
      .concat(["x-stainless-api-key", "x-session", "x-passwd", "cf-aig-authorization", "x-amz-signature"]);
    for (const name of headers) {
      assert.deepEqual(refusalOf(await proxy.send({ headers: { [name]: "sk-foreign" } })), foreign, name);
    }
    const parameters = [
      "auth_key",
      "apitoken",
      "user_token",
      "key%20",
      "%00key",
      "+key",
      "k%00ey",
      "%ef%bd%8bey",
      "jwt",
    ];
    for (const name of parameters) {
      assert.deepEqual(refusalOf(await proxy.send({ path: `/api/v1/messages?${name}=sk-foreign` })), foreign, name);
    }
    assert.equal(upstream.connections, 0);
    const steering = { "x-portkey-config": "c", "helicone-target-url": "u", "x-litellm-tags": "t", "cf-aig-step": "s" };
    const harmless = {
      "idempotency-key": "a",
      "x-claude-code-session-id": "b",
      session_id: "c",
      "x-session-affinity": "d",
    };
    assert.equal((await proxy.send({ headers: { ...steering, ...harmless } })).status, 200);
    const { headers: seen } = upstream.last;
    assert.deepEqual(
      Object.keys(steering).filter((name) => name in seen),
      [],
    );
    assert.deepEqual(
      Object.entries(harmless).filter(([name, value]) => seen[name] !== value),
      [],
    );
  });

  it("D4: an answer that holds the key is withheld, in every spelling, in head and body", async () => {
    for (const [name, text] of Object.entries(encodings)) {
      const inHead = await answerOf((_request, response) =>
        response.writeHead(401, { "www-authenticate": `Key ${text}` }).end(),
      );
      assert.deepEqual(refusalOf(inHead), echoed, `${name}, head`);
      const inBody = await answerOf((_request, response) =>
        response.writeHead(400).end(`{"error":"invalid key ${text}"}`),
      );
      assert.deepEqual(refusalOf(inBody), echoed, `${name}, body`);
      const inRedirect = await answerOf((_request, response) =>
        response.writeHead(302, { location: `https://x/?k=${text}` }).end(),
      );
      assert.deepEqual(refusalOf(inRedirect), echoed, `${name}, redirect`);
    }
  });

  it("D4: a stream is cut before the key, wherever its chunks end", async () => {
    for (let split = 1; split < canary.length; split += 4) {
      const sent = Promise.withResolvers<void>();
      await using upstream = await FakeUpstream.start(async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(`data: one\n\ndata: ${canary.slice(0, split)}`);
        await sent.promise;
        response.end(`${canary.slice(split)}\n\n`);
      });
      await using proxy = await ProxyInProcess.for(upstream.url);
      const request = proxy.open();
      request.end("{}");
      const [response] = await once(request, "response");
      let text = "";
      response.on("data", (part: Buffer) => {
        text += part;
        if (text.endsWith("data: ")) sent.resolve();
      });
      response.on("error", () => undefined);
      await new Promise((resolve) => response.once("close", resolve));
      assert.deepEqual([text, response.complete], ["data: one\n\ndata: ", false]);
    }
  });

  it("D5: an answer that can't be read through is not passed on", async () => {
    for (const encoding of ["gzip", "br", "deflate", "identity, gzip"]) {
      const answer = await answerOf((_request, response) =>
        response.writeHead(200, { "content-encoding": encoding }).end("x"),
      );
      assert.deepEqual(refusalOf(answer), [502, "upstreamFailed"], encoding);
    }
    const plain = await answerOf((_request, response) =>
      response.writeHead(200, { "content-encoding": "identity" }).end("x"),
    );
    assert.equal(plain.status, 200, "the control");
  });

  it("D5: no part of an answer is asked for, and none is passed on: a key could lie across its edge", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    assert.equal((await proxy.send({ headers: { range: "bytes=0-9", "if-range": "x" } })).status, 200);
    assert.deepEqual([upstream.last.headers.range, upstream.last.headers["if-range"]], [undefined, undefined]);
    upstream.answer = (_request, response) => response.writeHead(206, { "content-range": "bytes 0-9/99" }).end("x");
    assert.deepEqual(refusalOf(await proxy.send()), [502, "upstreamFailed"]);
  });

  it("D6: methods that show what was sent are refused, and OPTIONS gets no key", async () => {
    await using upstream = await FakeUpstream.start();
    const methods = ["POST", "OPTIONS", "TRACE", "TRACK", "CONNECT"];
    const rules = {
      group: "team",
      upstreams: [upstreamRule("api", upstream.url)],
      rules: [openRule("api", upstream.url, { methods })],
    };
    await using proxy = await ProxyInProcess.create(rules);
    const head = `Host: a\r\nx-api-key: ${proxy.placeholders.of("api")}\r\nMax-Forwards: 0\r\nConnection: close`;
    for (const method of ["TRACE", "TRACK"]) {
      const text = await proxy.sendRaw(`${method} /api/v1 HTTP/1.1\r\n${head}\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 405 .*methodRefused/s, method);
    }
    assert.equal(upstream.connections, 0);
    const override = { "x-http-method-override": "TRACE", "x-original-url": "/admin" };
    await proxy.send({ headers: override });
    assert.deepEqual(
      [upstream.last.headers["x-http-method-override"], upstream.last.headers["x-original-url"]],
      [undefined, undefined],
    );
    assert.match(await proxy.sendRaw(`OPTIONS /api/v1 HTTP/1.1\r\n${head}\r\n\r\n`), /^HTTP\/1\.1 200 /);
    assert.deepEqual([upstream.last.method, upstream.last.rawHeaders.includes(canary)], ["OPTIONS", false]);
  });

  it("D8: what makes or shows keys is out of reach of a rule for the model", async () => {
    await using upstream = await FakeUpstream.start();
    const rule = openRule("api", upstream.url, {
      paths: ["/v1/messages", "/v1/messages/count_tokens"],
      methods: ["POST"],
    });
    const rules = { group: "team", upstreams: [upstreamRule("api", upstream.url)], rules: [rule] };
    await using proxy = await ProxyInProcess.create(rules);
    const paths = [
      "/v1/organizations/api_keys",
      "/v1/files",
      "/v1/messages/batches",
      "/v1/messages/",
      "/v1/Messages",
      "/v1/message",
      "/",
      "",
    ];
    for (const path of [
      ...paths,
      "/v1/messages/count_tokens/x",
      "/v1/%6dessages",
      "/api/oauth/claude_cli/create_api_key",
    ]) {
      assert.deepEqual(refusalOf(await proxy.send({ path: `/api${path}` })), [403, "requestNotAllowed"], path);
    }
    assert.deepEqual(refusalOf(await proxy.send({ method: "GET" })), [403, "requestNotAllowed"]);
    assert.equal(upstream.connections, 0);
    assert.equal((await proxy.send({ path: "/api/v1/messages?beta=true" })).status, 200, "the control");
  });

  it("D10: a placeholder is compared by digest, so that neither length nor beginning shows", () => {
    const own = createPlaceholders(sessionPlaceholder).of("api");
    const isOwn = createEqualityCheck(own);
    const others = [
      "",
      own.slice(0, -1),
      `${own} `,
      own.toLowerCase(),
      own.replace("copepod", "Copepod"),
      "x".repeat(100_000),
    ];
    assert.deepEqual(
      others.map(isOwn),
      others.map(() => false),
    );
    assert.ok(isOwn(own));
    // Another start of the same session derives the same, another session does not.
    assert.equal(createPlaceholders(sessionPlaceholder).of("api"), own);
    assert.notEqual(createPlaceholders(`${sessionPlaceholder}x`).of("api"), own);
  });

  it("D11: the errors of libraries never reach the client", () => {
    const leaky = Object.assign(new Error(`connect 10.1.2.3:443 with ${canary}`), { code: "ECONNREFUSED" });
    for (const error of [
      leaky,
      new Error(canary),
      canary,
      undefined,
      Object.assign(new Error("x"), { code: canary }),
    ]) {
      const { code, message } = toRefusal(error);
      assert.equal(code, "upstreamFailed");
      assert.doesNotMatch(message, /canary|10\.1/);
    }
    assert.equal(toRefusal(new CopepodError("tooLarge", "kept")).message, "kept");
  });

  it("keeps the key out of every answer, log and report, whatever fails", async () => {
    const texts: string[] = [];
    const hear = async (proxy: ProxyInProcess) => {
      const own = proxy.placeholders.of("api");
      const sent: Sent[] = [
        {},
        { path: "/api//x" },
        { path: "/nope/x" },
        { path: "/api/v1?key=x" },
        { headers: { "x-api-key": "x" } },
        { method: "PUT" },
        { headers: { upgrade: "websocket", connection: "upgrade" } },
        { method: "TRACE", body: "" },
      ];
      for (const one of sent) {
        const answer = await proxy.send(one).catch((error: Error) => ({ text: error.message, headers: {} }));
        texts.push(answer.text, JSON.stringify(answer.headers));
        assert.ok(answer.text.length < 400, answer.text);
      }
      texts.push(await proxy.sendRaw(`BROKEN ${own}\r\n\r\n`), proxy.logs, JSON.stringify(proxy.usage));
    };
    const echoing =
      (length: number): Answer =>
      (request, response) => {
        response.writeHead(500, length > 0 ? { "content-length": length } : {});
        response.write(JSON.stringify(request.headers), () => length > 0 && response.destroy());
        if (length === 0) response.end();
      };
    for (const answer of [echoing(0), echoing(10_000), hangUp]) {
      await using upstream = await FakeUpstream.start(answer);
      await using proxy = await ProxyInProcess.for(upstream.url);
      await hear(proxy);
    }
    await using broken = await startRawUpstream(`NOT HTTP ${canary}\r\n\r\n`);
    await using toBroken = await ProxyInProcess.for(broken.url);
    await hear(toBroken);
    await using toNowhere = await ProxyInProcess.for("http://127.0.0.1:1");
    await hear(toNowhere);
    for (const text of texts)
      for (const spelling of Object.values(encodings)) assert.ok(!text.includes(spelling), text);
    for (const text of texts) assert.doesNotMatch(text, /127\.0\.0\.1|copepod-proxy-/, "no internal address, no path");
  });
});
