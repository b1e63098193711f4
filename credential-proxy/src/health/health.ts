import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs } from "@copepod/core/limits";
import type { AnswerCounts, RouterContact } from "./counts.ts";

/** A runner asks at least this often, so that a router that has been silent for longer is not there. */
const staleMs = 2 * longPollMs;
/** The agent reaches this port too: whatever it does here may cost nothing. */
const maxConnections = 16;
const maxHeadBytes = 4 * 1024;
const requestMs = 2_000;
/** How often that is looked at. */
const lookMs = 500;

export interface HealthDeps {
  readonly contact: RouterContact;
  /** Answers to the agent's POST requests to model APIs. */
  readonly modelAnswers: AnswerCounts;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/** Health and numbers for the cluster, on all addresses. Nothing in them is secret. @param port 0 = any free one */
export async function serveHealth(port: number, deps: HealthDeps): Promise<HealthServer> {
  const server = createServer(
    {
      maxHeaderSize: maxHeadBytes,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: lookMs,
    },
    (request, response) => answer(request, response, deps),
  );
  server.maxConnections = maxConnections;
  try {
    server.listen(port);
    await once(server, "listening");
  } catch (cause) {
    throw new CopepodError("unavailable", `the proxy can't listen on port ${port}`, { cause });
  }
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, deps: HealthDeps): void {
  const { status, text } = request.method === "GET" ? pageOf(request.url ?? "", deps) : notFound;
  const headers = { "content-type": "text/plain; version=0.0.4", "content-length": Buffer.byteLength(text) };
  // A body that nobody reads would keep the connection; with the answer it is over.
  response.writeHead(status, { ...headers, connection: "close" }).end(text);
}

interface Page {
  readonly status: number;
  readonly text: string;
}

const notFound: Page = { status: 404, text: "not found\n" };

/** The socket is served and the rules are read before this is: what may be missing later is the router. */
function pageOf(path: string, { contact, modelAnswers }: HealthDeps): Page {
  switch (path) {
    case "/healthz":
      return { status: 200, text: "ok\n" };
    case "/readyz":
      if (contact.age < staleMs) return { status: 200, text: "ok\n" };
      return { status: 503, text: "the router does not answer\n" };
    case "/metrics":
      return { status: 200, text: formatMetrics(contact, modelAnswers) };
    default:
      return notFound;
  }
}

function formatMetrics(contact: RouterContact, modelAnswers: AnswerCounts): string {
  const { user, system } = process.cpuUsage();
  return [
    contact.answers.format("copepod_proxy_router_answers_total", "Answers of the router, by status."),
    modelAnswers.format("copepod_proxy_model_answers_total", "Answers to POST requests to model APIs, by status."),
    formatNumber("process_cpu_seconds_total", "counter", (user + system) / 1e6),
    formatNumber("process_resident_memory_bytes", "gauge", process.memoryUsage.rss()),
  ].join("");
}

const formatNumber = (name: string, type: "counter" | "gauge", value: number): string =>
  `# TYPE ${name} ${type}\n${name} ${value}\n`;
