import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpoint } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { maxBodyBytes } from "@copepod/core/limits";
import { textSchema } from "@copepod/core/messages";
import { pino } from "pino";
import { z } from "zod";
import { RouterMetrics } from "../metrics.ts";
import { buildListener } from "./listener.ts";

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
    authenticate: (bearer) => {
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
