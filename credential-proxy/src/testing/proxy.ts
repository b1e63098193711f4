import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import type { ProxyRules, Rule, UpstreamRule } from "@copepod/core/proxy-rules";
import { pino } from "pino";
import { createFront } from "../front/front.ts";
import { listen, type ProxyServer } from "../front/server.ts";
import { createPlaceholders } from "../keys/placeholder.ts";
import { type ProxyLimits, proxyLimits } from "../limits.ts";
import { createRelay, mailboxRoutes } from "../mailbox/relay.ts";
import { createRouterClient } from "../mailbox/router-client.ts";
import { createPlaceholderCheck, createTokenSource } from "../mailbox/token.ts";
import { createForward } from "../model/forward.ts";
import { type Resolve, resolveBySystem } from "../network/resolve.ts";
import { Upstreams } from "../network/upstreams.ts";
import { RulesSource } from "../rules/rules-source.ts";

export const sessionPlaceholder = "placeholder-of-the-session";
/** The key that nobody but the upstream may ever see. */
export const canary = "sk-canary-7Rk2/ZqP+x0w9LmT4vBs8Yd";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface ProxyOptions {
  readonly limits?: Partial<ProxyLimits>;
  readonly resolve?: Resolve;
  readonly ca?: string;
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** An upstream as a Credential would describe it: private, so that loopback is allowed. */
export const upstreamRule = (name: string, baseUrl: string, more: Partial<UpstreamRule> = {}): UpstreamRule => ({
  name,
  api: "Anthropic",
  baseUrl,
  private: true,
  subscription: false,
  ...more,
});

/** POST and GET of everything on the host. */
export const openRule = (credential: string, baseUrl: string, more: Partial<Rule> = {}): Rule => ({
  credential,
  hosts: [new URL(baseUrl).host],
  paths: ["/**"],
  methods: ["POST", "GET"],
  inject: { header: "x-api-key", format: "{secret}" },
  secret: { name: credential, key: "key" },
  revision: 0,
  ...more,
});

/** The whole proxy over real sockets, with a mailbox that notes the usage. All ended when disposed. */
export class ProxyInProcess implements AsyncDisposable {
  readonly folder: string;
  readonly usage: UsageEntry[] = [];
  /** Host names that were looked up. */
  readonly lookups: string[] = [];
  readonly placeholders = createPlaceholders(sessionPlaceholder);
  logs = "";
  readonly #stack = new AsyncDisposableStack();
  #server: ProxyServer | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** One upstream named `api` at the URL, with the canary as its key. */
  static async for(url: string, options: ProxyOptions = {}): Promise<ProxyInProcess> {
    const rules = { group: "team", upstreams: [upstreamRule("api", url)], rules: [openRule("api", url)] };
    return await ProxyInProcess.create(rules, options);
  }

  static async create(rules: ProxyRules, options: ProxyOptions = {}): Promise<ProxyInProcess> {
    const proxy = new ProxyInProcess(await mkdtemp(join(tmpdir(), "copepod-proxy-")));
    await proxy.writeRules(rules);
    for (const { secret } of rules.rules) if (secret) await proxy.writeKey(secret.name, canary);
    await writeFile(proxy.tokenFile, "token-of-the-session\n");
    try {
      await proxy.#start(options);
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  get tokenFile(): string {
    return join(this.folder, "token");
  }

  get socketPath(): string {
    return join(this.folder, "proxy");
  }

  async writeRules(rules: unknown): Promise<void> {
    const path = join(this.folder, "rules.json");
    await writeFile(`${path}.new`, typeof rules === "string" ? rules : JSON.stringify(rules));
    await rename(`${path}.new`, path);
  }

  async writeKey(name: string, value: string | Buffer): Promise<void> {
    const path = join(this.folder, "keys", name, "key");
    await mkdir(join(this.folder, "keys", name), { recursive: true });
    await writeFile(`${path}.new`, value);
    await rename(`${path}.new`, path);
  }

  async #start({ limits, resolve = resolveBySystem, ca }: ProxyOptions): Promise<void> {
    const all = { ...proxyLimits, ...limits };
    const log = pino(
      { level: "trace" },
      {
        write: (line: string) => {
          this.logs += line;
        },
      },
    );
    await this.#startRouter();
    const router = this.#stack.use(
      createRouterClient({
        address: { kind: "socket", socketPath: join(this.folder, "router") },
        token: createTokenSource(this.tokenFile),
        connections: 32,
      }),
    );
    const noting: Resolve = (host) => {
      this.lookups.push(host);
      return resolve(host);
    };
    const upstreams = this.#stack.use(new Upstreams({ resolve: noting, limits: all, ca }));
    const rules = this.#stack.use(
      await RulesSource.open({
        path: join(this.folder, "rules.json"),
        log,
        onChange: ({ routes }) => upstreams.keepOnly(routes),
      }),
    );
    const isAuthorized = createPlaceholderCheck(sessionPlaceholder);
    const forward = createForward({
      rules,
      keysDir: join(this.folder, "keys"),
      isPlaceholder: this.placeholders.is,
      upstreams,
      limits: all,
      recordUsage: (entry) => this.usage.push(entry),
      now: () => performance.now(),
      log,
    });
    const relay = createRelay({ router, routes: mailboxRoutes, isAuthorized, log });
    const front = createFront({
      ...{ relay, forward, rules, isAuthorized, limits: all, log },
      placeholderOf: this.placeholders.of,
    });
    this.#server = this.#stack.use(
      await listen({ path: this.socketPath, owner: undefined, forGroup: false }, front, all),
    );
  }

  async #startRouter(): Promise<void> {
    const router: Server = createServer((call, response) => {
      call.resume().once("end", () => response.end("{}"));
    }).listen(join(this.folder, "router"));
    await once(router, "listening");
    this.#stack.defer(() => {
      router.close();
      router.closeAllConnections();
    });
  }

  get server(): ProxyServer {
    if (!this.#server) throw new Error("the proxy is not running");
    return this.#server;
  }

  /** A request as a client of the model API sends it; the test handles body and answer itself. */
  open({ method = "POST", path = "/api/v1/messages", headers = {} }: Sent = {}) {
    const [, name = ""] = path.split("/");
    return request({
      socketPath: this.socketPath,
      method,
      path,
      headers: { host: "localhost", "x-api-key": this.placeholders.of(name), ...headers },
    });
  }

  async send(sent: Sent = {}): Promise<Answered> {
    const sending = this.open(sent);
    sending.end(sent.body ?? (sent.method === "GET" || sent.method === "HEAD" ? undefined : "{}"));
    return await readAnswer(sending);
  }

  /** Writes bytes as they are. @returns all that came until the connection ended or was silent for a moment. */
  async sendRaw(bytes: string, silenceMs = 500): Promise<string> {
    const socket = connect(this.socketPath);
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on("error", () => undefined);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.write(bytes, "latin1");
    await once(socket, "close");
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export async function readAnswer(sending: ReturnType<typeof request>): Promise<Answered> {
  const answered = Promise.withResolvers<Answered>();
  sending.on("error", answered.reject);
  sending.on("response", (response: IncomingMessage) => {
    let text = "";
    response.setEncoding("latin1").on("data", (part: string) => {
      text += part;
    });
    response.on("end", () => answered.resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    response.on("error", answered.reject);
  });
  return await answered.promise;
}

export const codeOfAnswer = ({ text }: Answered): string => JSON.parse(text).error.code;

/** [status, code] of a refusal. */
export const refusalOf = (answered: Answered): readonly [number, string] => [answered.status, codeOfAnswer(answered)];
