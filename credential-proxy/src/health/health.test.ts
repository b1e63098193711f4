import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { AnswerCounts, RouterContact } from "./counts.ts";
import { serveHealth } from "./health.ts";

async function health() {
  let now = 0;
  const contact = new RouterContact(() => now);
  const modelAnswers = new AnswerCounts();
  const server = await serveHealth(0, { contact, modelAnswers });
  return {
    ...{ contact, modelAnswers, port: server.port },
    wait: (ms: number) => {
      now += ms;
    },
    ask: async (path: string, method = "GET") => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return [answer.status, await answer.text()] as const;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe("the proxy's health", { timeout: 30_000 }, () => {
  it("is ready when the router has done what the session asked for, a moment ago", async () => {
    await using proxy = await health();
    assert.deepEqual(await proxy.ask("/healthz"), [200, "ok\n"]);
    for (const status of [0, 401, 425, 503]) proxy.contact.hear(status);
    assert.deepEqual(await proxy.ask("/readyz"), [503, "the router does not answer\n"]);
    proxy.contact.hear(200);
    assert.deepEqual(await proxy.ask("/readyz"), [200, "ok\n"]);
    proxy.wait(120_000);
    assert.equal((await proxy.ask("/readyz"))[0], 503);
    assert.equal((await proxy.ask("/healthz"))[0], 200);
  });

  it("counts answers by their status", async () => {
    await using proxy = await health();
    for (const status of [200, 204, 401, 0]) proxy.contact.hear(status);
    for (const status of [200, 529, 0]) proxy.modelAnswers.add(status);
    const [, text] = await proxy.ask("/metrics");
    const values = Object.fromEntries(
      [...text.matchAll(/^([^#\s]+) (\S+)$/gm)].map(([, name, value]) => [name, value]),
    );
    const routerAnswers = (status: string) => values[`copepod_proxy_router_answers_total{status="${status}"}`];
    assert.deepEqual(["2xx", "3xx", "4xx", "5xx", "none"].map(routerAnswers), ["2", "0", "1", "0", "1"]);
    assert.equal(values['copepod_proxy_model_answers_total{status="5xx"}'], "1");
    assert.ok(Number(values.process_resident_memory_bytes) > 1e6);
  });

  it("answers nothing else", async () => {
    await using proxy = await health();
    for (const [method, path] of [
      ["POST", "/healthz"],
      ["GET", "/"],
      ["GET", "/metrics?x"],
      ["GET", "/v1/mailbox/take"],
    ] as const) {
      assert.equal((await proxy.ask(path, method))[0], 404, `${method} ${path}`);
    }
  });

  it("has room again soon, whoever holds its connections", async () => {
    await using proxy = await health();
    const held = Array.from({ length: 20 }, () =>
      connect(proxy.port, "127.0.0.1")
        .on("error", () => undefined)
        .resume(),
    );
    await Promise.all(held.map((socket) => once(socket, "close")));
    assert.equal((await proxy.ask("/healthz"))[0], 200);
  });
});
