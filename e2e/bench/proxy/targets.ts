import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { environment } from "@copepod/core/environment";
import { CopepodError } from "@copepod/core/errors";
import { mailboxApi, type SessionContext } from "@copepod/core/mailbox-api";
import type { ProxyRules } from "@copepod/core/proxy-rules";
import { createPlaceholders } from "@copepod/credential-proxy/keys/placeholder";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import { until } from "../../support/until.ts";
import { onSecondCore, takeFirstCore } from "./cores.ts";

const nginxBinary = "/usr/sbin/nginx";
const sessionPlaceholder = "placeholder-of-the-bench";
const key = "sk-the-key-of-the-bench-0123456789";
const proxyMain = fileURLToPath(import.meta.resolve("@copepod/credential-proxy/main"));

export const targetNames = ["direct", "nginx", "proxy"] as const;
export type TargetName = (typeof targetNames)[number];

export interface Target {
  readonly socketPath: string;
  /** What stands before `/json` and `/stream`. */
  readonly prefix: string;
  /** Value of x-api-key. */
  readonly key: string;
}

export interface Targets extends AsyncDisposable {
  readonly byName: Readonly<Record<TargetName, Target>>;
  /** Resident memory of the proxy. */
  proxyRssMb(): Promise<number>;
}

/** The upstream, and before it nginx and the proxy with the same job: all are reached over a Unix socket. */
export async function startTargets(): Promise<Targets> {
  if (!existsSync(nginxBinary)) {
    throw new CopepodError("invalid", `the bench needs nginx to compare with, and ${nginxBinary} is not installed`);
  }
  const stack = new AsyncDisposableStack();
  takeFirstCore();
  try {
    const folder = await mkdtemp(join(tmpdir(), "copepod-bench-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const direct = join(folder, "direct");
    const port = await startUpstream(stack, direct);
    const nginx = await startNginx(stack, folder, port);
    await startMailbox(stack, join(folder, "mailbox"));
    const { socketPath, pid } = await startProxy(stack, folder, port);
    const owner = stack.move();
    return {
      byName: {
        direct: { socketPath: direct, prefix: "", key },
        nginx: { socketPath: nginx, prefix: "/api", key: "placeholder" },
        proxy: { socketPath, prefix: "/api", key: createPlaceholders(sessionPlaceholder).of("api") },
      },
      proxyRssMb: () => rssMb(pid),
      [Symbol.asyncDispose]: () => owner.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function startUpstream(stack: AsyncDisposableStack, socketPath: string): Promise<number> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const child = spawn(process.execPath, [script, socketPath], { stdio: ["ignore", "pipe", "inherit"] });
  endWith(stack, child);
  for await (const line of createInterface({ input: child.stdout })) return Number(line);
  throw new Error("the upstream ended before it served");
}

async function startNginx(stack: AsyncDisposableStack, folder: string, port: number): Promise<string> {
  const socketPath = join(folder, "nginx");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/tmp-${name};`,
  );
  const config = `
    daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr crit;
    events { worker_connections 2048; }
    http {
      access_log off; keepalive_requests 100000000; keepalive_timeout 600s; ${temporary.join(" ")}
      upstream api { server 127.0.0.1:${port}; keepalive 256; keepalive_requests 100000000; }
      server {
        listen unix:${socketPath};
        location /api/ {
          proxy_pass http://api/; proxy_http_version 1.1; proxy_buffering off;
          proxy_set_header Connection ""; proxy_set_header Accept-Encoding identity; proxy_set_header X-Api-Key "${key}";
        }
      }
    }`;
  const file = join(folder, "nginx.conf");
  await writeFile(file, config);
  const [program, ...args] = onSecondCore([nginxBinary, "-p", folder, "-c", file, "-e", "stderr"]);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  endWith(stack, child);
  await until("nginx serves", () => connects(socketPath));
  return socketPath;
}

const context: SessionContext = {
  version: "1",
  session: "default/bench",
  group: "bench",
  provider: "none",
  agent: { mcpServers: [], skills: [] },
  maxMessagesPerPrompt: 10,
  timeZone: "UTC",
  instructions: "",
  destinations: [],
};

/** The router, as far as the proxy needs it. */
async function startMailbox(stack: AsyncDisposableStack, socketPath: string): Promise<void> {
  const server = createServer((request, response) => {
    const answer = request.url === mailboxApi.context.path ? JSON.stringify(context) : "{}";
    request.resume().once("end", () => response.end(answer));
  }).listen(socketPath);
  await once(server, "listening");
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
}

async function startProxy(stack: AsyncDisposableStack, folder: string, port: number) {
  const socketPath = join(folder, "proxy");
  await mkdir(join(folder, "keys", "api"), { recursive: true });
  await writeFile(join(folder, "keys", "api", "key"), key);
  await writeFile(join(folder, "token"), "token");
  await writeFile(join(folder, "rules.json"), JSON.stringify(rulesFor(port)));
  const env = {
    [environment.proxySocket]: socketPath,
    [environment.placeholder]: sessionPlaceholder,
    [environment.mailboxSocket]: join(folder, "mailbox"),
    [environment.tokenFile]: join(folder, "token"),
    [environment.rulesFile]: join(folder, "rules.json"),
    [environment.keysDir]: join(folder, "keys"),
    [environment.instructionsDir]: join(folder, "instructions"),
    [environment.logLevel]: "info",
    NODE_COMPILE_CACHE: join(folder, "cache"),
  };
  const [program, ...args] = onSecondCore([process.execPath, ...nodeFlags, proxyMain]);
  const start = () => spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  // The first end fills the compile cache, as it is filled on every machine but a new one.
  const first = start();
  endWith(stack, first);
  await until("the proxy serves", () => connects(socketPath));
  await end(first);
  const child = start();
  endWith(stack, child);
  await until("the proxy serves again", () => connects(socketPath));
  return { socketPath, pid: child.pid ?? 0 };
}

function rulesFor(port: number): ProxyRules {
  const baseUrl = `http://127.0.0.1:${port}`;
  return {
    group: "bench",
    upstreams: [{ name: "api", api: "Anthropic", baseUrl, private: true, subscription: false }],
    rules: [
      {
        credential: "api",
        hosts: [`127.0.0.1:${port}`],
        paths: ["/json", "/stream"],
        methods: ["POST"],
        inject: { header: "x-api-key", format: "{secret}" },
        secret: { name: "api", key: "key" },
        revision: 0,
      },
    ],
  };
}

function connects(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(socketPath, () => resolve(true)).on("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

const endWith = (stack: AsyncDisposableStack, child: ChildProcess): void => stack.defer(() => end(child));

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024;
}
