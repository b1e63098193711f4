import assert from "node:assert/strict";
import { once } from "node:events";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { maxBodyBytes } from "@copepod/core/limits";
import { codeIn, placeholder, RelayInProcess, readText, token } from "../testing/relay.ts";
import { maxConcurrentRequests } from "./relay.ts";

describe("the relay", { timeout: 30_000 }, () => {
  it("hands a call to the router as the session, and its answer back", async () => {
    let seen: { url?: string | undefined; headers?: IncomingHttpHeaders; body?: string } = {};
    await using relay = await RelayInProcess.create(async (request, response) => {
      seen = { url: request.url, headers: request.headers, body: await readText(request) };
      response.writeHead(409, { "content-type": "application/json" }).end('{"error":"kept"}');
    });
    const headers = { "x-request-id": "req-7", "content-type": "application/json", cookie: "a=b", te: "trailers" };
    const answer = await relay.send('{"limit":1}', { headers });
    assert.deepEqual([answer.status, answer.text, answer.headers["x-request-id"]], [409, '{"error":"kept"}', "req-7"]);
    assert.equal(seen.url, "/v1/mailbox/take");
    assert.equal(seen.body, '{"limit":1}');
    assert.equal(seen.headers?.authorization, `Bearer ${token}`);
    assert.equal(seen.headers?.["x-request-id"], "req-7");
    assert.deepEqual([seen.headers?.cookie, seen.headers?.te], [undefined, undefined]);
  });

  it("takes no request without the session's placeholder", async () => {
    let reached = 0;
    await using relay = await RelayInProcess.create((_request, response) => {
      reached++;
      response.end();
    });
    for (const authorization of [
      "",
      "Bearer",
      "Bearer wrong",
      placeholder,
      `Bearer ${placeholder}x`,
      `Bearer ${token}`,
    ]) {
      const answer = await relay.send("{}", { headers: { authorization } });
      assert.deepEqual([answer.status, codeIn(answer)], [401, "unauthorized"], authorization);
    }
    assert.equal(reached, 0);
  });

  it("relays the calls of the mailbox and nothing else", async () => {
    let reached = 0;
    await using relay = await RelayInProcess.create((_request, response) => {
      reached++;
      response.end();
    });
    const paths = [
      "/",
      "/v1/mailbox/",
      "/v1/mailbox/take/",
      "/v1/mailbox/take?x=1",
      "/v1/mailbox/../admin",
      "/v1/status",
    ];
    for (const path of [...paths, "//v1/mailbox/take", "/v1/mailbox/%74ake", "http://router/v1/mailbox/take"]) {
      assert.equal(codeIn(await relay.send("{}", { path })), "notFound", path);
    }
    assert.equal(codeIn(await relay.send("", { method: "GET" })), "notFound");
    assert.equal(reached, 0);
  });

  it("answers at once that the router is down, and works again when it is back", async () => {
    await using relay = await RelayInProcess.create();
    const answer = await relay.send();
    assert.deepEqual([answer.status, codeIn(answer)], [503, "unavailable"]);
    assert.match(JSON.parse(answer.text).error.message, /router is not running/);
    assert.equal(JSON.parse(answer.text).error.requestId, answer.headers["x-request-id"]);
    await relay.startRouter((_request, response) => void response.end("{}"));
    assert.equal((await relay.send()).status, 200);
  });

  it("answers that the router is gone when it dies in the middle of a long poll", async () => {
    await using relay = await RelayInProcess.create(() => relay.stopRouter());
    assert.equal(codeIn(await relay.send()), "unavailable");
  });

  it("breaks an answer that the router has broken, so that nobody takes it for whole", async () => {
    await using relay = await RelayInProcess.create((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
    });
    await assert.rejects(relay.send());
  });

  it("ends the router's long poll when the runner has gone", async () => {
    const polled = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    await using relay = await RelayInProcess.create((_request, response) => {
      response.once("close", left.resolve);
      polled.resolve();
    });
    const request = relay.open();
    request.on("error", () => undefined);
    request.end("{}");
    await polled.promise;
    request.destroy();
    await left.promise;
  });

  it("streams an answer as it comes", async () => {
    const goOn = Promise.withResolvers<void>();
    await using relay = await RelayInProcess.create(async (_request, response) => {
      response.write("first ");
      await goOn.promise;
      response.end("second");
    });
    const request = relay.open();
    request.end("{}");
    const [response] = await once(request, "response");
    const [chunk] = await once(response, "data");
    assert.equal(String(chunk), "first ");
    goOn.resolve();
    const [rest] = await once(response, "data");
    assert.equal(String(rest), "second");
  });

  it("refuses a body that is too large, announced or not", async () => {
    await using relay = await RelayInProcess.create(async (request, response) => {
      await readText(request).catch(() => "");
      response.end("{}");
    });
    const whole = Buffer.alloc(maxBodyBytes, "x");
    assert.equal((await relay.send(whole)).status, 200);
    const announced = relay.open({ headers: { "content-length": String(maxBodyBytes + 1) } });
    announced.on("error", () => undefined);
    announced.flushHeaders();
    const [refused] = await once(announced, "response");
    assert.equal(refused.statusCode, 413);
    announced.destroy();
    const chunked = relay.open({ headers: { "transfer-encoding": "chunked" } });
    chunked.on("error", () => undefined);
    chunked.write(whole);
    chunked.write("one more");
    const [response] = await once(chunked, "response");
    assert.deepEqual([response.statusCode, JSON.parse(await readText(response)).error.code], [413, "tooLarge"]);
    chunked.destroy();
  });

  it("serves a bounded number of requests at a time, and the next one when there is room", async () => {
    const waiting: (() => void)[] = [];
    const full = Promise.withResolvers<void>();
    await using relay = await RelayInProcess.create((_request, response) => {
      waiting.push(() => void response.end("{}"));
      if (waiting.length === maxConcurrentRequests) full.resolve();
    });
    const answers = Array.from({ length: maxConcurrentRequests }, () => relay.send());
    await full.promise;
    assert.equal(codeIn(await relay.send()), "unavailable");
    for (const answer of waiting) answer();
    assert.ok((await Promise.all(answers)).every(({ status }) => status === 200));
    const last = relay.send();
    while (waiting.length <= maxConcurrentRequests) await new Promise((resolve) => setImmediate(resolve));
    waiting.at(-1)?.();
    assert.equal((await last).status, 200);
  });

  it("uses a new token as soon as its file is replaced, and says when it has none", async () => {
    const tokens: (string | undefined)[] = [];
    await using relay = await RelayInProcess.create((request, response) => {
      tokens.push(request.headers.authorization);
      response.end("{}");
    });
    await relay.send();
    await writeFile(`${relay.tokenFile}.new`, "canary-rotated");
    await rename(`${relay.tokenFile}.new`, relay.tokenFile);
    await relay.send();
    await rm(relay.tokenFile);
    const answer = await relay.send();
    assert.equal(codeIn(answer), "unavailable");
    assert.deepEqual(tokens, [`Bearer ${token}`, "Bearer canary-rotated"]);
    assert.ok(!answer.text.includes(relay.folder), "the answer names no path");
  });

  it("keeps tokens out of its logs and errors, whatever fails", async () => {
    await using relay = await RelayInProcess.create((_request, response) => response.destroy());
    const texts = [(await relay.send()).text, (await relay.send("{}", { path: "/x" })).text];
    relay.stopRouter();
    texts.push((await relay.send()).text);
    await rm(relay.tokenFile);
    texts.push((await relay.send()).text, relay.logs);
    assert.ok(relay.logs.includes("request not relayed"));
    for (const text of texts) assert.doesNotMatch(text, /canary|placeholder-of/);
  });

  it("takes a request id only when it is a harmless one", async () => {
    await using relay = await RelayInProcess.create((_request, response) => void response.end("{}"));
    for (const id of ["a b", "x".repeat(129)]) {
      const answer = await relay.send("{}", { headers: { "x-request-id": id } });
      assert.match(String(answer.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    }
  });

  it("listens where only the own user can connect, also where a socket was left behind", async () => {
    await using relay = await RelayInProcess.create();
    assert.equal((await stat(join(relay.folder, "proxy"))).mode & 0o777, 0o600);
  });

  it("is quiet when no runner has been connected for a moment", async () => {
    const polled = Promise.withResolvers<() => void>();
    await using relay = await RelayInProcess.create((_request, response) =>
      polled.resolve(() => void response.end("{}")),
    );
    const sending = relay.send("{}", { headers: { connection: "close" } });
    const answer = await polled.promise;
    let quiet = false;
    const waiting = relay.server.untilQuiet(new AbortController().signal).then(() => {
      quiet = true;
    });
    answer();
    assert.equal(quiet, false);
    await sending;
    await waiting;
    await assert.rejects(relay.server.untilQuiet(AbortSignal.abort()));
  });
});
