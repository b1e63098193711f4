import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { canary, ProxyInProcess, refusalOf, sessionPlaceholder } from "../testing/proxy.ts";
import { FakeUpstream } from "../testing/upstream.ts";

describe("a request to a model API", { timeout: 30_000 }, () => {
  it("arrives with the key in the place of the placeholder, and its answer comes back", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      response.writeHead(201, { "content-type": "application/json", "x-upstream": "yes" }).end('{"a":1}');
    });
    await using proxy = await ProxyInProcess.for(`${upstream.url}/base`);
    const answer = await proxy.send({
      path: "/api/v1/messages?beta=true",
      body: '{"hello":1}',
      headers: { "anthropic-beta": "x" },
    });
    assert.deepEqual([answer.status, answer.text, answer.headers["x-upstream"]], [201, '{"a":1}', "yes"]);
    const { url, headers, body } = upstream.last;
    assert.deepEqual(
      [url, body, headers["x-api-key"], headers["anthropic-beta"]],
      ["/base/v1/messages?beta=true", '{"hello":1}', canary, "x"],
    );
    assert.deepEqual([headers.host, headers["accept-encoding"]], [`127.0.0.1:${upstream.port}`, "identity"]);
  });

  it("streams its answer as it comes", async () => {
    const goOn = Promise.withResolvers<void>();
    await using upstream = await FakeUpstream.start(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      await goOn.promise;
      response.end("data: 2\n\n");
    });
    await using proxy = await ProxyInProcess.for(upstream.url);
    const request = proxy.open();
    request.end("{}");
    const [response] = await once(request, "response");
    assert.equal(String((await once(response, "data"))[0]), "data: 1\n\n");
    goOn.resolve();
    assert.equal(String((await once(response, "data"))[0]), "data: 2\n\n");
  });

  it("needs a credential of the group, and one of its rules", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    assert.deepEqual(refusalOf(await proxy.send({ path: "/other/v1/messages" })), [404, "upstreamUnknown"]);
    assert.deepEqual(refusalOf(await proxy.send({ method: "PUT" })), [403, "requestNotAllowed"]);
    assert.equal(upstream.seen.length, 0);
  });
});

describe("the list of model APIs", () => {
  it("names each with its placeholder, to who has the session's", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    const path = "/v1/proxy/upstreams";
    const answer = await proxy.send({ path, headers: { authorization: `Bearer ${sessionPlaceholder}` } });
    const placeholder = proxy.placeholders.of("api");
    assert.deepEqual(JSON.parse(answer.text), {
      upstreams: [{ name: "api", api: "Anthropic", subscription: false, placeholder }],
    });
    assert.match(placeholder, /^copepod-[\w-]{43}$/);
    assert.deepEqual(refusalOf(await proxy.send({ path })), [401, "unauthorized"]);
  });
});
