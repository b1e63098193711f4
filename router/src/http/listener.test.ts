import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { endpoint } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { maxBodyBytes } from "@copepod/core/limits";
import { textSchema } from "@copepod/core/messages";
import { pino } from "pino";
import { z } from "zod";
import { RouterMetrics } from "../metrics.ts";
import { buildListener, streamType } from "./listener.ts";

const api = {
  echo: endpoint({
    method: "POST",
    path: "/v1/echo/:name",
    summary: "Says it back.",
    input: z.object({ name: z.string(), text: textSchema }),
    output: z.object({ said: z.string() }),
  }),
};

function build(echo: (input: { name: string; text: string }) => Promise<{ said: string }>) {
  return buildListener({
    name: "admin",
    api,
    handlers: { echo },
    authenticate: async (bearer) => {
      if (bearer !== "right") throw new CopepodError("unauthorized", "wrong token");
      return "caller";
    },
    makeRequestId: () => "made-id",
    log: pino({ level: "silent" }),
    metrics: new RouterMetrics(),
    ending: new AbortController().signal,
  });
}

const say = async ({ name, text }: { name: string; text: string }) => ({ said: `${name}: ${text}` });
const headers = { authorization: "Bearer right", "content-type": "application/json" };
const post = (payload: string | Buffer, extra: object = {}) =>
  build(say).inject({ method: "POST", url: "/v1/echo/ann", headers: { ...headers, ...extra }, payload });

describe("a listener", () => {
  it("serves a call of its API", async () => {
    const response = await post('{"text":"hi"}');
    assert.deepEqual([response.statusCode, response.json()], [200, { said: "ann: hi" }]);
  });

  const refusals = [
    { what: "a wrong token", payload: '{"text":"hi"}', extra: { authorization: "Bearer no" }, code: "unauthorized" },
    { what: "broken JSON", payload: '{"text":', code: "invalid" },
    { what: "a body that is no object", payload: "[1]", code: "invalid" },
    { what: "a missing field", payload: "{}", code: "invalid" },
    { what: "a field of a wrong type", payload: '{"text":7}', code: "invalid" },
    { what: "NUL in a text", payload: '{"text":"a\\u0000b"}', code: "invalid" },
    { what: "invalid UTF-8", payload: Buffer.from([0x22, 0xff, 0x22]), code: "invalid" },
    { what: "another content type", payload: "a=b", extra: { "content-type": "text/plain" }, code: "invalid" },
    { what: "an oversized body", payload: `{"text":"${"x".repeat(maxBodyBytes)}"}`, code: "tooLarge" },
  ];
  for (const { what, payload, extra, code } of refusals) {
    it(`refuses ${what} with a code and a sentence`, async () => {
      const response = await post(payload, extra);
      assert.equal(response.json().error.code, code);
      assert.match(response.json().error.message, /\w+ \w+/);
      assert.equal(response.json().error.requestId, "made-id");
    });
  }

  it("ends a connection whose body does not come in time, and lets a file take its time", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const app = build(say);
    app.register((scope, _options, done) => {
      scope.addContentTypeParser(streamType, (_request, payload, parsed) => parsed(null, payload));
      scope.put("/v1/files", async (request) => ({ read: (await buffer(request.raw)).length }));
      done();
    });
    const port = Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port);
    t.after(() => app.close());
    const open = async (method: string, path: string, type: string) => {
      const socket = connect(port, "127.0.0.1");
      const head = [`${method} ${path} HTTP/1.1`, "host: x", "authorization: Bearer right", `content-type: ${type}`];
      socket.write([...head, "content-length: 4", "", "ab"].join("\r\n"));
      // Once a later request on another connection is answered, this one has been seen.
      await fetch(`http://127.0.0.1:${port}/`);
      return socket;
    };
    const slow = await open("POST", "/v1/echo/ann", "application/json");
    const file = await open("PUT", "/v1/files", streamType);
    t.mock.timers.tick(30_000);
    assert.equal(await text(slow), "");
    t.mock.timers.tick(60 * 60_000);
    file.write("cd");
    const [answer] = await once(file, "data");
    assert.match(String(answer), /^HTTP\/1\.1 200 [\s\S]*\{"read":4\}$/);
    file.destroy();
  });

  it("refuses who is not known before the body has come", async (t) => {
    const app = build(say);
    const port = Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port);
    t.after(() => app.close());
    const socket = connect(port, "127.0.0.1");
    const head = ["POST /v1/echo/ann HTTP/1.1", "host: x", "content-type: application/json", "content-length: 4000000"];
    socket.write([...head, "", "{"].join("\r\n"));
    const [answer] = await once(socket, "data");
    assert.match(String(answer), /^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it("answers an unknown call with notFound", async () => {
    const response = await build(say).inject({ method: "GET", url: "/v1/nothing" });
    assert.deepEqual([response.statusCode, response.json().error.code], [404, "notFound"]);
  });

  it("keeps the text of a fault to itself", async () => {
    const app = build(async () => {
      throw new Error("secret detail");
    });
    const response = await app.inject({ method: "POST", url: "/v1/echo/ann", headers, payload: '{"text":"hi"}' });
    assert.equal(response.statusCode, 500);
    assert.doesNotMatch(response.body, /secret/);
  });

  it("takes over a sane request id, and no other", async () => {
    const bad = await post("{}", { "x-request-id": "a b\u00e9" });
    assert.equal(bad.json().error.requestId, "made-id");
    const good = await post("{}", { "x-request-id": "abc-1" });
    assert.equal(good.json().error.requestId, "abc-1");
  });
});
