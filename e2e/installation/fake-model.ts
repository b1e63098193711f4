import { startFakeModel } from "@copepod/agent-image/providers/testing/model/server";

/** Serves the fake model in a pod. `KEY` is the only key that it takes, `PORT` where it listens. */
const { KEY: key = "", PORT: port = "8080" } = process.env;
const model = await startFakeModel({ key, host: "0.0.0.0", port: Number(port) });
process.stdout.write(`serves ${model.url}\n`);
process.once("SIGTERM", () => process.exit());
