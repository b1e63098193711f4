import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blobPaths } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { codeIn, RelayInProcess, token } from "../testing/relay.ts";
import { maxConcurrentFiles } from "./relay.ts";

const octets = { "content-type": "application/octet-stream" };
const upload = { method: "PUT", path: blobPaths.mailbox };
const hash = "a".repeat(64);

describe("the relay of files", { timeout: 30_000 }, () => {
  it("streams an upload to the router as the session, larger than any call may be", async () => {
    const mebibyte = Buffer.alloc(1024 * 1024);
    let [bytes, authorization] = [0, ""];
    await using relay = await RelayInProcess.create(async (request, response) => {
      authorization = request.headers.authorization ?? "";
      for await (const chunk of request) bytes += chunk.length;
      response.end("{}");
    });
    const sending = relay.open({ ...upload, headers: { ...octets, "content-length": String(maxFileBytes) } });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      sending.once("response", (response) => resolve(response.resume().statusCode)).once("error", reject);
    });
    for (let sent = 0; sent < maxFileBytes; sent += mebibyte.length) {
      await new Promise<void>((resolve) => sending.write(mebibyte, () => resolve()));
    }
    sending.end();
    assert.deepEqual([await answered, bytes, authorization], [200, maxFileBytes, `Bearer ${token}`]);
  });

  it("hands a download on", async () => {
    await using relay = await RelayInProcess.create((request, response) => {
      response.end(`${request.method} ${request.url}`);
    });
    const answer = await relay.send("", { method: "GET", path: `${blobPaths.mailbox}/${hash}` });
    assert.deepEqual([answer.status, answer.text], [200, `GET ${blobPaths.mailbox}/${hash}`]);
  });

  it("refuses an upload of a byte too many before it is sent", async () => {
    let reached = 0;
    await using relay = await RelayInProcess.create((_request, response) => {
      reached++;
      response.end();
    });
    const sending = relay.open({ ...upload, headers: { ...octets, "content-length": String(maxFileBytes + 1) } });
    const status = await new Promise((resolve, reject) => {
      sending.once("response", (response) => resolve(response.statusCode)).once("error", reject);
      sending.flushHeaders();
    });
    sending.destroy();
    assert.deepEqual([status, reached], [413, 0]);
  });

  it("keeps room for the runner's calls beside files that don't get on", async () => {
    const held = Promise.withResolvers<void>();
    let waiting = 0;
    await using relay = await RelayInProcess.create((request, response) => {
      if (request.url === "/v1/mailbox/finish") return void response.end("{}");
      if (++waiting === 2 * maxConcurrentFiles) held.resolve();
    });
    const download = { method: "GET", path: `${blobPaths.mailbox}/${hash}` };
    const uploads = Array.from({ length: maxConcurrentFiles }, () => relay.open(upload));
    const downloads = Array.from({ length: maxConcurrentFiles }, () => relay.open(download));
    const slow = [...uploads, ...downloads];
    for (const one of slow) one.on("error", () => undefined);
    for (const one of uploads) one.write("a drop");
    for (const one of downloads) one.end();
    await held.promise;
    for (const one of [upload, download]) {
      const answer = await relay.send("", one);
      assert.deepEqual([answer.status, codeIn(answer)], [503, "unavailable"]);
    }
    assert.equal((await relay.send("{}", { path: "/v1/mailbox/finish" })).status, 200);
    for (const one of slow) one.destroy();
    await relay.server.untilQuiet(AbortSignal.timeout(10_000));
  });

  it("knows no other method and no other path below", async () => {
    let reached = 0;
    await using relay = await RelayInProcess.create((_request, response) => {
      reached++;
      response.end();
    });
    const { mailbox } = blobPaths;
    const others = [
      ["GET", mailbox],
      ["POST", mailbox],
      ["DELETE", `${mailbox}/${hash}`],
      ["PUT", `${mailbox}/${hash}`],
      ["GET", `${mailbox}/${hash}/`],
      ["GET", `${mailbox}/${hash}?x=1`],
      ["GET", `${mailbox}/../take`],
      ["GET", `${mailbox}/${"A".repeat(64)}`],
      ["GET", `${mailbox}x/${hash}`],
      ["PUT", blobPaths.admin],
    ] as const;
    for (const [method, path] of others) {
      const answer = await relay.send("", { method, path });
      assert.deepEqual([answer.status, codeIn(answer)], [404, "notFound"], `${method} ${path}`);
    }
    assert.equal(reached, 0);
  });
});
