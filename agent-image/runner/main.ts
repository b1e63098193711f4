import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createBlobs } from "@copepod/core/blobs";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { blobPaths } from "@copepod/core/files";
import { untilAsked, untilOrphaned } from "@copepod/core/lifetime";
import { mailboxApi } from "@copepod/core/mailbox-api";
import { proxyApi } from "@copepod/core/proxy-api";
import { destination, pino } from "pino";
import { createProvider } from "../providers/registry.ts";
import { type RunnerConfig, readConfig } from "./config.ts";
import { Life } from "./life.ts";
import { openLoopback } from "./loopback.ts";
import { runRunner } from "./runner.ts";
import { createSocketFetch } from "./socket-fetch.ts";
import { realTime } from "./time.ts";
import { startToolsServer } from "./tools-server.ts";
import { untilListening } from "./until-socket.ts";

/** Files are for the whole agent group. */
const groupUmask = 0o002;
/** Something of a provider may keep the process alive after its work is over; it is not waited for. */
const leftoverMs = 2_000;

async function main(config: RunnerConfig): Promise<void> {
  const instance = randomUUID();
  const log = pino(
    { level: config.logLevel, base: { program: "runner", instance } },
    destination({ fd: 1, sync: true }),
  );
  const life = new Life();
  // In a pod, the group's other sessions change these files too; elsewhere the sandbox says it.
  if (config.sandbox === "pod") process.umask(groupUmask);
  const parent = config.endWithStdin ? process.stdin : undefined;
  const asked = untilAsked(process, parent);
  asked.addEventListener("abort", () => {
    life.drain(asked.reason);
    // The first process of a container has no default: without this, a second signal would do nothing there.
    const again = untilAsked(process, undefined);
    again.addEventListener("abort", () => life.end(again.reason));
  });
  untilOrphaned(parent).addEventListener("abort", () => life.end("parent is gone"));
  await using http = createSocketFetch(config.proxySocket);
  const client = { fetch: http.fetch, baseUrl: "http://credential-proxy", token: () => config.placeholder };
  await using loopback = await openLoopback(config.proxySocket);
  const { workspace, agentDir, teamDir, providerEnv: env } = config;
  try {
    if (env.HOME) await mkdir(env.HOME, { recursive: true });
  } catch (error) {
    log.warn({ err: error }, "there is no HOME: a provider that needs one will fail its turns");
  }
  await untilListening(config.proxySocket, life.draining, () => log.info("runner waits for its credential-proxy"));
  try {
    await runRunner({
      mailbox: createClient(mailboxApi, client),
      blobs: createBlobs({ send: http.sendBytes, url: client.baseUrl + blobPaths.mailbox, token: client.token }),
      proxy: createClient(proxyApi, client),
      proxyUrl: loopback.url,
      serveTools: (tools) => startToolsServer(tools, log),
      instance,
      life,
      workspace,
      agentDir,
      teamDir,
      env,
      createProvider: (name, deps) => createProvider(name, deps, config),
      time: realTime,
      random: Math.random,
      log,
    });
    log.info({ reason: life.draining.reason }, "runner ends");
  } catch (error) {
    log.fatal({ err: error }, "runner ends by a fault");
    process.exitCode = 1;
  } finally {
    parent?.destroy();
  }
}

try {
  await main(readConfig(process.env));
} catch (error) {
  console.error(error instanceof CopepodError ? `copepod runner: ${error.message}` : error);
  process.exitCode = error instanceof CopepodError && error.code === "invalid" ? 2 : 1;
}
setTimeout(() => process.exit(), leftoverMs).unref();
