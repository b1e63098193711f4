import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readConfig } from "./config.ts";
import { connectRouter } from "./router-client.ts";

const abilities = { idempotentSend: "none", history: false, typing: false } as const;
const rest = { COPEPOD_TOKEN_FILE: "/token", COPEPOD_CHANNEL_TYPE: "test" };

describe("the way to the router", { timeout: 30_000 }, () => {
  it("is a socket or a URL, and never both or none", () => {
    const { router } = readConfig({ ...rest, COPEPOD_CHANNEL_URL: "http://router:8082" });
    assert.deepEqual(router, { kind: "url", url: "http://router:8082" });
    for (const env of [rest, { ...rest, COPEPOD_CHANNEL_URL: "http://router:8082", COPEPOD_CHANNEL_SOCKET: "/s" }]) {
      assert.throws(() => readConfig(env), /set COPEPOD_CHANNEL_SOCKET or COPEPOD_CHANNEL_URL, and not both/);
    }
  });

  it("is TCP in a cluster, with the present token in each call", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "host-"));
    const tokenFile = join(folder.path, "token");
    const seen: (string | undefined)[] = [];
    const server = createServer((call, response) => {
      seen.push(call.headers.authorization);
      call.resume();
      response.writeHead(503, { "content-type": "application/json" });
      response.end('{"error":{"code":"unavailable","message":"not now"}}');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { client, close } = connectRouter({ kind: "url", url }, tokenFile);
    for (const token of ["first", "rotated"]) {
      await writeFile(tokenFile, `${token}\n`);
      await assert.rejects(client.hello({ instance: "one", type: "test", abilities }), { code: "unavailable" });
    }
    await close();
    server.close();
    assert.deepEqual(seen, ["Bearer first", "Bearer rotated"]);
  });
});
