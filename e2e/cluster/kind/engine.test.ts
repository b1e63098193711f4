import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { answers } from "./engine.ts";

/** Asks as Docker's client does: it waits for as long as it takes. */
const client = `#!${process.execPath}
const { request } = require("node:http");
const socketPath = process.env.DOCKER_HOST.slice("unix://".length);
request({ socketPath, path: "/version" }, (response) => response.resume()).end();
`;
const longMs = 60_000;

describe("a Docker engine", () => {
  let folder: string;
  let engine: Server;
  let sockets: Socket[];
  let env: Record<string, string>;
  const signal = new AbortController().signal;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cluster-engine-"));
    await writeFile(join(folder, "docker"), client, { mode: 0o755 });
    sockets = [];
    engine = createServer((socket) => sockets.push(socket)).listen(join(folder, "docker.sock"));
    await once(engine, "listening");
    env = { PATH: folder, DOCKER_HOST: `unix://${join(folder, "docker.sock")}` };
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    if (engine.listening) await new Promise((resolve) => engine.close(resolve));
    await rm(folder, { recursive: true });
  });

  it("that takes connections and never answers is none, after a while", { timeout: longMs }, async () => {
    assert.equal(await answers({ env }, signal, 500), false);
  });

  it("that nobody waits for any more is not taken for none", async () => {
    const interruption = new AbortController();
    const asked = answers({ env }, interruption.signal, longMs);
    engine.once("connection", () => interruption.abort());
    await assert.rejects(asked, { name: "AbortError" });
  });

  it("answers, or has no socket, or no client", async () => {
    engine.on("connection", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert.equal(await answers({ env }, signal, longMs), true);
    assert.equal(
      await answers({ env: { ...env, DOCKER_HOST: `unix://${join(folder, "none")}` } }, signal, longMs),
      false,
    );
    assert.equal(await answers({ env: { ...env, PATH: join(folder, "none") } }, signal, longMs), false);
  });
});
