import { randomUUID } from "node:crypto";
import { untilEnded } from "@copepod/core/lifetime";
import { pino } from "pino";
import { readConfig } from "./config.ts";
import { deliverTimes } from "./deliver.ts";
import { runHost } from "./host.ts";
import { loadAdapter } from "./registry.ts";
import { connectRouter } from "./router-client.ts";

const drainMs = 10_000;

const config = readConfig(process.env);
const log = pino({ level: config.logLevel, base: { program: "adapter-host" } });
const router = connectRouter(config.router, config.tokenFile);
try {
  const end = await runHost(
    {
      client: router.client,
      adapterPackage: await loadAdapter(config.channelType),
      instance: randomUUID(),
      random: Math.random,
      log,
      times: deliverTimes,
      drainMs,
    },
    untilEnded(process, config.endWithStdin ? process.stdin : undefined),
  );
  process.exitCode = end === "failed" ? 1 : 0;
} catch (error) {
  log.fatal({ err: error }, "adapter host can't start");
  process.exitCode = 1;
} finally {
  await router.close();
  process.stdin.destroy();
}
