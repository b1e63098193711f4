import { podGraceMs } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { untilAsked, untilEnded } from "@copepod/core/lifetime";
import { type MailboxClient, mailboxApi } from "@copepod/core/mailbox-api";
import { destination, type Logger, pino } from "pino";
import { type ProxyConfig, readConfig } from "./config.ts";
import { createFront } from "./front/front.ts";
import { listen, type ProxyServer } from "./front/server.ts";
import { AnswerCounts, RouterContact } from "./health/counts.ts";
import { serveHealth } from "./health/health.ts";
import { createPlaceholders } from "./keys/placeholder.ts";
import { proxyLimits } from "./limits.ts";
import { writeInstructions } from "./mailbox/instructions.ts";
import { createRelay, mailboxRoutes, maxConcurrentRequests } from "./mailbox/relay.ts";
import { createRouterClient, type RouterClient } from "./mailbox/router-client.ts";
import { createPlaceholderCheck, createTokenSource } from "./mailbox/token.ts";
import { createForward } from "./model/forward.ts";
import { resolveBySystem } from "./network/resolve.ts";
import { Upstreams } from "./network/upstreams.ts";
import { RulesSource } from "./rules/rules-source.ts";
import { UsageReport } from "./usage/report.ts";

/** How long the router may take to hear that this pod drains. */
const drainTimeoutMs = 5_000;
/** Instructions, usage and drain at the same time. What the runner and the agent keep busy is not theirs to wait for. */
const ownConnections = 3;
/** How long it may take to tell the router the usage that is left. */
const flushTimeoutMs = 5_000;

async function main(config: ProxyConfig): Promise<void> {
  const log = pino(
    { level: config.logLevel, base: { program: "credential-proxy" } },
    destination({ fd: 1, sync: true }),
  );
  const asked = untilEnded(process, undefined);
  const parent = config.endWithStdin ? process.stdin : undefined;
  const orphaned = untilEnded(undefined, parent);
  const token = createTokenSource(config.tokenFile);
  const now = () => performance.now();
  const contact = new RouterContact(now);
  const reach = { address: config.router, token, onAnswer: (status: number) => contact.hear(status) };
  await using router = createRouterClient({ ...reach, connections: maxConcurrentRequests });
  await using own = createRouterClient({ ...reach, connections: ownConnections });
  const mailbox = createMailbox(own);
  const modelAnswers = new AnswerCounts();
  const usage = new UsageReport({ mailbox, random: Math.random, log });
  const limits = proxyLimits;
  await using upstreams = new Upstreams({ resolve: resolveBySystem, limits, ca: undefined });
  using rules = await RulesSource.open({
    path: config.rulesFile,
    log,
    onChange: ({ routes }) => upstreams.keepOnly(routes),
  });
  const isAuthorized = createPlaceholderCheck(config.placeholder);
  const placeholders = createPlaceholders(config.placeholder);
  const forward = createForward({
    rules,
    keysDir: config.keysDir,
    isPlaceholder: placeholders.is,
    upstreams,
    limits,
    recordUsage(entry) {
      modelAnswers.add(entry.status);
      usage.record(entry);
    },
    now,
    log,
  });
  const relay = createRelay({ router, routes: mailboxRoutes, isAuthorized, log });
  const front = createFront({ relay, forward, rules, isAuthorized, placeholderOf: placeholders.of, limits, log });
  await using server = await listen(config.socket, front, limits);
  await using _health =
    config.metricsPort === undefined ? undefined : await serveHealth(config.metricsPort, { contact, modelAnswers });
  log.info("credential-proxy serves");
  const ended = AbortSignal.any([asked, orphaned]);
  const writing = writeInstructions({ mailbox, dir: config.instructionsDir, random: Math.random, log }, ended);
  await aborted(ended);
  // The first process of a container has no default: without this, a second signal would do nothing there.
  const hurried = AbortSignal.any([orphaned, untilAsked(process, undefined)]);
  if (!orphaned.aborted) await serveToTheEnd({ mailbox, server, hurried, log });
  await writing;
  await usage.flush(AbortSignal.any([hurried, AbortSignal.timeout(flushTimeoutMs)]));
  parent?.destroy();
  log.info({ reason: ended.reason }, "credential-proxy ends");
}

/** New rows are for the next pod; what the runner has, it may finish. */
async function serveToTheEnd({
  mailbox,
  server,
  hurried,
  log,
}: {
  readonly mailbox: MailboxClient;
  readonly server: ProxyServer;
  readonly hurried: AbortSignal;
  readonly log: Logger;
}): Promise<void> {
  const timeout = AbortSignal.any([hurried, AbortSignal.timeout(drainTimeoutMs)]);
  const told = mailbox.drain({}, { signal: timeout }).catch((error: unknown) => {
    log.info({ code: codeOf(error) }, "router was not told that the pod drains");
  });
  const bound = AbortSignal.any([hurried, AbortSignal.timeout(podGraceMs)]);
  await Promise.all([told, server.untilQuiet(bound).catch(() => undefined)]);
}

function createMailbox(router: RouterClient): MailboxClient {
  return createClient(mailboxApi, {
    baseUrl: "",
    async fetch(path, { headers, body = "", signal = new AbortController().signal }) {
      const answer = await router.send({ method: "POST", path, headers, body, signal });
      return { status: answer.status, text: async () => (await answer.body.setEncoding("utf8").toArray()).join("") };
    },
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

try {
  await main(readConfig(process.env));
} catch (error) {
  console.error(error instanceof CopepodError ? `copepod credential-proxy: ${error.message}` : error);
  process.exitCode = error instanceof CopepodError && error.code === "invalid" ? 2 : 1;
}
