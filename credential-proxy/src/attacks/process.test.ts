import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { environment } from "@copepod/core/environment";
import { createPlaceholders } from "../keys/placeholder.ts";
import { maxConcurrentRequests } from "../mailbox/relay.ts";
import { nodeFlags } from "../node-flags.ts";
import { canary, openRule, readAnswer, sessionPlaceholder, upstreamRule } from "../testing/proxy.ts";
import { FakeUpstream } from "../testing/upstream.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** The program as the supervisor starts it, with a mailbox that notes what it is told. */
class ProxyProcess implements AsyncDisposable {
  output = "";
  readonly told: { readonly url: string; readonly body: string }[] = [];
  readonly child: ChildProcess;
  readonly folder: string;
  readonly #mailbox;

  private constructor(folder: string) {
    this.folder = folder;
    this.#mailbox = createServer(async (call, response) => {
      let body = "";
      for await (const part of call) body += part;
      this.told.push({ url: call.url ?? "", body });
      if (call.url !== "/v1/mailbox/take") response.end("{}");
    }).listen(join(folder, "mailbox"));
    const env = {
      [environment.proxySocket]: join(folder, "proxy"),
      [environment.placeholder]: sessionPlaceholder,
      [environment.mailboxSocket]: join(folder, "mailbox"),
      [environment.tokenFile]: join(folder, "token"),
      [environment.rulesFile]: join(folder, "rules.json"),
      [environment.keysDir]: join(folder, "keys"),
      [environment.instructionsDir]: join(folder, "instructions"),
      [environment.logLevel]: "trace",
    };
    this.child = spawn(process.execPath, [...nodeFlags, main], { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk;
      });
    }
  }

  static async start(rules: unknown): Promise<ProxyProcess> {
    const folder = await mkdtemp(join(tmpdir(), "copepod-process-"));
    await mkdir(join(folder, "keys", "api"), { recursive: true });
    await writeFile(join(folder, "keys", "api", "key"), canary);
    await writeFile(join(folder, "token"), "token-of-the-session");
    await writeFile(join(folder, "rules.json"), JSON.stringify(rules));
    return new ProxyProcess(folder);
  }

  async untilServing(): Promise<void> {
    while (!this.output.includes("credential-proxy serves")) {
      assert.equal(this.child.exitCode, null, this.output);
      await once(this.child.stdout ?? this.child, "data");
    }
  }

  async untilTold(url: string, times: number): Promise<void> {
    while (this.told.filter((one) => one.url === url).length < times) await setImmediate();
  }

  async send() {
    const sending = request({
      socketPath: join(this.folder, "proxy"),
      method: "POST",
      path: "/api/v1/messages",
      headers: { "x-api-key": createPlaceholders(sessionPlaceholder).of("api"), connection: "close" },
    });
    sending.end("{}");
    return await readAnswer(sending);
  }

  /** A call of the runner that the router does not answer. */
  openPoll() {
    const headers = { authorization: `Bearer ${sessionPlaceholder}` };
    const poll = request({ socketPath: join(this.folder, "proxy"), method: "POST", path: "/v1/mailbox/take", headers });
    poll.on("error", () => undefined).end("{}");
    return poll;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    this.#mailbox.close();
    this.#mailbox.closeAllConnections();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const rulesFor = (url: string) => ({
  group: "team",
  upstreams: [upstreamRule("api", url)],
  rules: [openRule("api", url)],
});

describe("the process that has the keys", { timeout: 60_000 }, () => {
  it("D12: opens no inspector, leaves no report, and has no key in what others can read of it", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => response.end('{"ok":1}'));
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    assert.equal((await proxy.send()).status, 200);
    assert.equal(upstream.last.headers["x-api-key"], canary);
    proxy.child.kill("SIGUSR1");
    proxy.child.kill("SIGUSR2");
    await once(proxy.child, "exit");
    assert.equal(proxy.child.signalCode, "SIGUSR2", "a signal ends it, and does nothing else");
    const inspector = connect(9229, "127.0.0.1");
    inspector.on("error", () => undefined);
    await new Promise((resolve) => inspector.once("close", resolve));
    const left = await readdir(proxy.folder);
    assert.deepEqual(
      left.filter((name) => /report|heap|core/.test(name)),
      [],
    );
    assert.doesNotMatch(proxy.output, /Debugger listening/);
    assert.ok(!proxy.output.includes(canary));
  });

  it("D12: has neither the key nor a way to it in its environment and arguments", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    await proxy.send();
    for (const file of ["environ", "cmdline"]) {
      const text = await readFile(`/proc/${proxy.child.pid}/${file}`, "latin1").catch(() => "");
      assert.ok(!text.includes(canary), file);
    }
  });

  it("F2: tells the usage also while all connections to the mailbox are held", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    const polls = Array.from({ length: maxConcurrentRequests }, () => proxy.openPoll());
    await proxy.untilTold("/v1/mailbox/take", polls.length);
    await proxy.send();
    await proxy.untilTold("/v1/mailbox/usage", 1);
    for (const poll of polls) poll.destroy();
  });

  it("tells the usage that is left before it ends", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => {
      const usage = { input_tokens: 10, output_tokens: 2 };
      const body = JSON.stringify({ type: "message", model: "claude-haiku-4-5-20251001", usage });
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    });
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    await proxy.send();
    await proxy.end("SIGTERM");
    const reports = proxy.told.filter(({ url }) => url === "/v1/mailbox/usage");
    const [entry] = reports.flatMap(({ body }) => JSON.parse(body).entries);
    const { credential, model, status, inputTokens, outputTokens, costMicros } = entry;
    assert.deepEqual(
      [credential, model, status, inputTokens, outputTokens, costMicros],
      ["api", "claude-haiku-4-5-20251001", 200, 10, 2, 20],
    );
  });

  it("serves on when it is asked to end, as long as the runner is there", async () => {
    await using upstream = await FakeUpstream.start((_request, response) => response.end('{"ok":1}'));
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    const poll = proxy.openPoll();
    await proxy.untilTold("/v1/mailbox/take", 1);
    proxy.child.kill("SIGTERM");
    await proxy.untilTold("/v1/mailbox/drain", 1);
    assert.equal((await proxy.send()).status, 200);
    assert.equal(proxy.child.exitCode, null);
    const ended = once(proxy.child, "exit");
    poll.destroy();
    assert.deepEqual(await ended, [0, null]);
  });

  it("ends at the second request, also while the runner is there", async () => {
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyProcess.start(rulesFor(upstream.url));
    await proxy.untilServing();
    proxy.openPoll();
    await proxy.untilTold("/v1/mailbox/take", 1);
    proxy.child.kill("SIGTERM");
    await proxy.untilTold("/v1/mailbox/drain", 1);
    const ended = once(proxy.child, "exit");
    proxy.child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null], "by its own decision, not by the signal");
  });

  it("does not start with rules that are not valid, and says why", async () => {
    await using proxy = await ProxyProcess.start({ group: "team", upstreams: [], rules: [], more: 1 });
    await once(proxy.child, "exit");
    assert.equal(proxy.child.exitCode, 2);
    assert.match(proxy.output, /copepod credential-proxy: .*more/);
  });
});
