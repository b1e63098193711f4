import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment } from "@copepod/core/environment";
import { Agent, fetch } from "undici";
import { stringify } from "yaml";
import { until } from "../../support/until.ts";

const routerMain = fileURLToPath(import.meta.resolve("@copepod/router/main"));
const channel = "default/bench";
const token = "bench";

/** One agent group, one channel that any sender may flood, one wiring. */
const resources = [
  { kind: "AgentGroup", metadata: { name: "helper" }, spec: { session: { maxRunning: 1_000, idleAfter: "24h" } } },
  {
    kind: "Channel",
    metadata: { name: "bench" },
    spec: { type: "test", defaults: { unknownSenders: "Public" }, senderRatePerMinute: 1_000_000 },
  },
  {
    kind: "Wiring",
    metadata: { name: "bench" },
    spec: { channel: "bench", conversation: { kind: "Direct" }, group: "helper" },
  },
];

export interface RouterUnderTest extends AsyncDisposable {
  readonly channelSocket: string;
  readonly token: string;
  readonly instance: string;
  /** A figure of the router's own metrics. */
  metric(name: string): Promise<number>;
}

/** The real router process, alone: a stand-in for the supervisor takes every wish and starts nothing. */
export async function startRouter(extraEnv: Readonly<Record<string, string>> = {}): Promise<RouterUnderTest> {
  const home = await mkdtemp(join(tmpdir(), "copepod-bench-"));
  await mkdir(join(home, "resources"));
  const documents = resources.map((resource) => stringify({ apiVersion: "copepod.dev/v1alpha1", ...resource }));
  await writeFile(join(home, "resources", "bench.yaml"), documents.join("---\n"));
  const socket = (name: string) => join(home, `${name}.sock`);
  const supervisor = await startStandIn(socket("supervisor"));
  const child = spawn(process.execPath, [routerMain], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env.PATH,
      [environment.home]: home,
      [environment.mailboxSocket]: socket("mailbox"),
      [environment.channelSocket]: socket("channel"),
      [environment.adminSocket]: socket("admin"),
      [environment.supervisorSocket]: socket("supervisor"),
      [environment.logLevel]: "warn",
      ...extraEnv,
    },
  });
  const admin = new Agent({ connect: { socketPath: socket("admin") } });
  const get = async (path: string) => await fetch(`http://admin${path}`, { dispatcher: admin });
  await until("the router is ready", async () => (await get("/readyz").catch(() => undefined))?.status === 200);
  return {
    channelSocket: socket("channel"),
    token,
    instance: "bench-instance",
    metric: async (name) => {
      const line = (await (await get("/metrics")).text()).split("\n").find((text) => text.startsWith(`${name} `));
      return Number(line?.split(" ")[1] ?? Number.NaN);
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      await admin.destroy();
      supervisor.closeAllConnections();
      supervisor.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Answers the first look at once and keeps later ones open, as a supervisor does in which nothing changes. */
async function startStandIn(path: string) {
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const list = JSON.stringify({ version: 1, pods: [], hosts: [{ channel, tokenHash, phase: "Running" }] });
  const server = createServer((request, response) => {
    request.resume();
    if (request.url?.includes("version=1")) return;
    response.setHeader("content-type", "application/json");
    response.end(request.method === "GET" ? list : "{}");
  });
  server.listen(path);
  await once(server, "listening");
  return server;
}
