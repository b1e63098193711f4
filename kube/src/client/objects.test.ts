import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock as clock } from "../clock.ts";
import { isExpired } from "../errors.ts";
import { maxAnswerBytes } from "./limits.ts";
import { json, maps, TestApi, web } from "./testing/api.ts";

describe("an answer", () => {
  it("that is too large is not read", async () => {
    await using api = await TestApi.start();
    const chunk = Buffer.alloc(1024 * 1024, " ");
    api.otherwise = (response) => {
      response.on("error", () => undefined);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    await assert.rejects(api.client({ clock }).get(maps, web), {
      code: "tooLarge",
      message: `get configmaps default/web: the answer is larger than ${maxAnswerBytes} bytes; ask for less at once`,
    });
    assert.equal(api.requests.length, 1);
  });

  it("that is a failure is one, also when it comes as a success", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const failure = { kind: "Status", metadata: {}, status: "Failure", reason: "Expired", code: 410 };
    api.queue(json(200, failure), json(200, { ...failure, status: "Success" }));
    await assert.rejects(client.get(maps, web), isExpired);
    await client.delete(maps, web);
  });

  it("that is a list of nothing may say so in several ways, but has to say so", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const metadata = { resourceVersion: "1" };
    api.queue(json(200, { metadata, items: null }), json(200, { metadata }));
    assert.deepEqual(await client.page(maps), { items: [], resourceVersion: "1" });
    await assert.rejects(client.page(maps), { code: "clusterUnavailable" });
  });

  it("that is the same page again ends a list, which would have no end", async () => {
    await using api = await TestApi.start();
    api.otherwise = json(200, { metadata: { resourceVersion: "5", continue: "next" }, items: [] });
    await assert.rejects(Array.fromAsync(api.client({ clock }).list(maps)), { code: "clusterUnavailable" });
    assert.equal(api.requests.length, 2);
  });

  it("that is no object is an outage", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    for (const body of ["", "<html>", "7", "null", "[]", "{}"]) {
      api.queue((response) => response.writeHead(200).end(body));
      await assert.rejects(client.get(maps, web), { code: "clusterUnavailable" });
    }
    api.queue(json(200, { metadata: {}, items: 7 }), json(200, { metadata: { resourceVersion: "1" }, items: [7] }));
    for (const _ of [1, 2]) await assert.rejects(client.page(maps), { code: "clusterUnavailable" });
  });
});
