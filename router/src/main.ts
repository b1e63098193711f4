import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createClient } from "@copepod/core/endpoint";
import { codeOf } from "@copepod/core/errors";
import { untilEnded } from "@copepod/core/lifetime";
import { longPollMs } from "@copepod/core/limits";
import { supervisorApi } from "@copepod/core/supervisor-api";
import { ulid } from "ulid";
import { Agent, fetch } from "undici";
import { BlobStore } from "./blobs/blob-store.ts";
import { readConfig } from "./config.ts";
import { createRequestIds } from "./http/request-ids.ts";
import { createLog } from "./log.ts";
import { openSqliteQueue } from "./queue/sqlite/open-sqlite-queue.ts";
import { openYamlFolder } from "./resources/yaml-folder.ts";
import { createRouter } from "./router.ts";
import { SupervisorLink } from "./sessions/supervisor-link.ts";

/** Room for the answer of a long poll that lasts its full time. */
const clientTimeoutMs = longPollMs + 15_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const ending = untilEnded(process, config.endWithStdin ? process.stdin : undefined);
  // Sockets and database belong to this user alone.
  process.umask(0o077);
  const clock = { now: Date.now, monotonic: () => performance.now() };
  await using store = await openSqliteQueue({ path: config.queuePath, clock, thread: "worker", log });
  await using resources = await openYamlFolder({ folder: config.resourcesDir, log });
  const blobs = await BlobStore.open({ folder: config.blobsDir, store, clock });
  const dispatcher = new Agent({
    connect: { socketPath: config.supervisorSocket },
    headersTimeout: clientTimeoutMs,
    bodyTimeout: clientTimeoutMs,
  });
  const client = createClient(supervisorApi, {
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
    baseUrl: "http://supervisor",
  });
  const link = new SupervisorLink({ client, resources, random: Math.random, log });
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  const router = createRouter({
    store,
    blobs,
    resources,
    link,
    clock,
    random: Math.random,
    makeRequestId: createRequestIds(ulid()),
    log,
    version,
    retentionMs: config.retentionMs,
    ending,
  });
  for (const name of ["mailbox", "channel", "admin"] as const) {
    await rm(config.sockets[name], { force: true });
    await router.listeners[name].listen({ path: config.sockets[name] });
  }
  log.info({ version, problems: resources.problems().length }, "router is ready");
  await router.run();
  log.info({ reason: String(ending.reason) }, "router is ending");
  await Promise.all(Object.values(router.listeners).map((app) => app.close()));
  await dispatcher.destroy();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`router: ${codeOf(error)}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
  // The open pipe from the parent would keep the process.
  process.stdin.destroy();
}
