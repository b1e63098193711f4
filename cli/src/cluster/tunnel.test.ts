import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { FakeApiServer } from "../testing/fake-api-server.ts";
import { ApiStreams } from "./api-streams.ts";
import { openTunnel } from "./tunnel.ts";
import { createTunnelHttp } from "./tunnel-http.ts";

const end = { namespace: "copepod", pod: "copepod-router-0", port: 8083 };
const url = "http://router/v1/echo";
const signal = new AbortController().signal;

describe("HTTP through a forwarded port", () => {
  it("brings many bytes there and back, with the token of each request", async (t) => {
    const { http, seen } = await start(t);
    const bytes = randomBytes(5 * 1024 * 1024);
    const halves = [bytes.subarray(0, 7), bytes.subarray(7)];
    const body = (async function* () {
      yield* halves;
    })();
    const headers = { "content-length": String(bytes.length) };
    const answer = await http.sendBytes(url, { method: "PUT", headers, body, signal });
    assert.equal(answer.status, 200);
    assert.deepEqual(Buffer.concat(await Array.fromAsync(answer.body)), bytes);
    const second = await http.fetch(url, { method: "POST", headers: {}, body: "grüße" });
    assert.equal(await second.text(), "grüße");
    assert.deepEqual(seen, ["Bearer 1", "Bearer 2"]);
  });

  it("ends with its caller, and with the other side", async (t) => {
    const { http, api, hang, hanging } = await start(t);
    hang();
    const aborter = new AbortController();
    const given = assert.rejects(http.fetch(url, { method: "GET", headers: {}, signal: aborter.signal }));
    await t.waitFor(() => assert.equal(hanging(), 1));
    aborter.abort();
    await given;
    await t.waitFor(() => assert.equal(hanging(), 0));
    const cut = assert.rejects(http.fetch(url, { method: "GET", headers: {} }));
    await t.waitFor(() => assert.equal(hanging(), 1));
    api.breakForwards();
    await cut;
  });

  it("fails with what the kubelet says when nobody listens there", async (t) => {
    const { http, stop } = await start(t);
    await stop();
    await assert.rejects(http.fetch(url, { method: "GET", headers: {} }), /the forwarded port: connect ENOENT/);
  });
});

async function start(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "cpt-"));
  const path = join(folder, "echo.sock");
  const seen: unknown[] = [];
  let [isHanging, hanging, tokens] = [false, 0, 0];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    if (!isHanging) return void buffer(request).then((bytes) => response.end(bytes));
    hanging++;
    response.on("close", () => hanging--);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const api = await FakeApiServer.start(path);
  const streams = new ApiStreams(kubeconfig({ files: [api.kubeconfig] }), systemClock);
  t.after(async () => {
    await streams.close();
    await api[Symbol.asyncDispose]();
    await stop();
    await rm(folder, { recursive: true });
  });
  const http = createTunnelHttp({ open: () => openTunnel(streams, end), token: async () => String(++tokens) });
  const hang = () => {
    isHanging = true;
  };
  return { http, api, seen, stop, hang, hanging: () => hanging };
}
