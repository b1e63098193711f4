import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { createClient, endpoint, type Fetch, queryInt } from "./endpoint.ts";

const api = {
  read: endpoint({
    method: "GET",
    path: "/v1/things/:name",
    summary: "Reads.",
    input: z.object({ name: z.string(), limit: queryInt.default(5), filter: z.string().optional() }),
    output: z.object({ size: z.int() }),
  }),
  write: endpoint({
    method: "PUT",
    path: "/v1/things/:name",
    summary: "Writes.",
    input: z.object({ name: z.string(), size: z.int() }),
    output: z.object({}),
  }),
};

type Request = { url: string } & Parameters<Fetch>[1];

function clientWith(status: number, body: string) {
  const requests: Request[] = [];
  const fetch: Fetch = async (url, init) => {
    requests.push({ url, ...init });
    return { status, text: async () => body };
  };
  return { requests, client: createClient(api, { fetch, baseUrl: "http://side", token: () => "t" }) };
}

describe("a client", () => {
  it("puts the path's parts in place, encoded, and the rest into the query", async () => {
    const { client, requests } = clientWith(200, '{"size":3}');
    assert.deepEqual(await client.read({ name: "a/b c", limit: 2 }), { size: 3 });
    assert.equal(requests[0]?.url, "http://side/v1/things/a%2Fb%20c?limit=2");
    assert.equal(requests[0]?.body, undefined);
    assert.equal(requests[0]?.headers.authorization, "Bearer t");
  });

  it("sends the rest as a JSON body when it is not a GET", async () => {
    const { client, requests } = clientWith(200, "");
    assert.deepEqual(await client.write({ name: "a", size: 1 }), {});
    assert.deepEqual([requests[0]?.method, requests[0]?.body], ["PUT", '{"size":1}']);
  });

  it("throws the server's code and sentence", async () => {
    const { client } = clientWith(429, '{"error":{"code":"laneFull","message":"Wait."}}');
    await assert.rejects(client.write({ name: "a", size: 1 }), { code: "laneFull", message: "Wait." });
  });

  it("calls an answer that is not ours unavailable or invalid, by its status", async () => {
    await assert.rejects(clientWith(502, "<html>").client.read({ name: "a" }), { code: "unavailable" });
    await assert.rejects(clientWith(418, "{}").client.read({ name: "a" }), { code: "invalid" });
  });

  it("calls a broken connection unavailable, and an aborted call by its own error", async () => {
    const fetch: Fetch = async (_url, { signal }) => {
      signal?.throwIfAborted();
      throw new Error("socket hang up");
    };
    const client = createClient(api, { fetch, baseUrl: "http://side" });
    await assert.rejects(client.read({ name: "a" }), { code: "unavailable" });
    const signal = AbortSignal.abort(new Error("mine"));
    await assert.rejects(client.read({ name: "a" }, { signal }), { message: "mine" });
  });

  it("refuses an answer of another shape", async () => {
    await assert.rejects(clientWith(200, '{"size":"big"}').client.read({ name: "a" }), z.ZodError);
  });
});
