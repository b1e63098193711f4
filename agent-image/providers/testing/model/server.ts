import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { anthropic } from "./anthropic.ts";
import { chat } from "./chat.ts";
import type { Codec } from "./codec.ts";
import { fullName, type ModelRequest, tokensOf } from "./conversation.ts";
import { responses } from "./responses.ts";
import { type Decision, decide } from "./script.ts";

export interface FakeModelOptions {
  /** The only key that it accepts. */
  readonly key: string;
  /** Default: loopback only. */
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Time from a request to the first byte of its answer; default 0. */
  readonly firstTokenMs?: number;
  /** Status of the answer to a WebSocket upgrade; default 426, with which clients go back to HTTP. */
  readonly upgradeStatus?: number;
}

/** What one request looked like, and what became of it. Times are milliseconds of `performance.now()`. */
export interface JournalEntry {
  readonly method: string;
  readonly path: string;
  /** Header → value, of the headers that can carry a key. */
  readonly auth: Readonly<Record<string, string>>;
  readonly arrivedAt: number;
  /** As it was sent; undefined without a body of JSON. */
  body: unknown;
  model: string | undefined;
  effort: string | undefined;
  stream: boolean;
  /** With their namespace in front: `mcp__copepod__send_message`. */
  tools: readonly string[];
  system: string;
  /** 0 until it is answered. */
  status: number;
  firstTokenAt: number | undefined;
  endedAt: number | undefined;
  /** The client went away before the end. */
  aborted: boolean;
}

const codecs: readonly Codec[] = [anthropic, responses, chat];
const authHeaders = ["x-api-key", "authorization", "api-key", "x-goog-api-key"];
const slowTokenMs = 100;
const charactersPerToken = 4;
const retryAfterSeconds = 1;

/**
 * A model API without a model: Anthropic Messages, OpenAI Responses and OpenAI Chat Completions on one port, which follow
 * the script language of `script.ts`. OpenAI clients take `<url>/v1` as base URL, Anthropic clients `url`.
 *
 * What it can't show: it takes every body that it can read, so a test with it shows that our side works, not that the
 * real API accepts what we send. It never thinks for long, never calls two tools at once, and counts tokens by characters.
 */
export async function startFakeModel(options: FakeModelOptions): Promise<FakeModel> {
  const model = new FakeModel(options);
  await model.listen(options.host ?? "127.0.0.1", options.port ?? 0);
  return model;
}

export class FakeModel implements AsyncDisposable {
  readonly journal: JournalEntry[] = [];
  readonly #options: FakeModelOptions;
  readonly #server: Server;
  #key: string;
  #upgrades = 0;
  #url = "";
  #held: PromiseWithResolvers<void> | undefined;

  constructor(options: FakeModelOptions) {
    this.#options = options;
    this.#key = options.key;
    this.#server = createServer((request, response) => {
      void this.#serve(request, response).catch((error: unknown) => response.destroy(toError(error)));
    });
    this.#server.on("upgrade", (_request, socket) => {
      this.#upgrades++;
      socket.on("error", () => undefined);
      socket.end(
        `HTTP/1.1 ${options.upgradeStatus ?? 426} Upgrade Required\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      );
    });
  }

  /** `http://<host>:<port>`, without `/v1`. */
  get url(): string {
    return this.#url;
  }

  get key(): string {
    return this.#key;
  }

  /** WebSocket upgrades that were asked for and refused. */
  get upgrades(): number {
    return this.#upgrades;
  }

  /** Requests to a model, less those that had no valid key. */
  get calls(): JournalEntry[] {
    return this.journal.filter(({ model }) => model !== undefined);
  }

  /** From now on only the new key is accepted. */
  rotate(key: string): void {
    this.#key = key;
  }

  /** From now on requests wait before their first byte. @returns lets them go on */
  hold(): () => void {
    this.#held ??= Promise.withResolvers();
    const held = this.#held;
    return () => {
      held.resolve();
      if (this.#held === held) this.#held = undefined;
    };
  }

  /** Part of `startFakeModel`. */
  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the fake model has no port");
    this.#url = `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held?.resolve();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://fake");
    const entry = newEntry(request, pathname);
    this.journal.push(entry);
    response.on("close", () => {
      entry.status = response.statusCode;
      entry.endedAt = performance.now();
      entry.aborted = !response.writableFinished;
    });
    const codec = codecs.find(({ path }) => path === pathname);
    const body = await readText(request);
    if (!this.#accepts(entry)) return this.#refuse(response, codec ?? anthropic);
    if (codec && request.method === "POST") return await this.#answer({ codec, body, entry, response });
    sendOther(response, request.method ?? "GET", pathname);
  }

  #accepts({ auth, method }: JournalEntry): boolean {
    if (method === "HEAD") return true;
    const values = Object.values(auth).map((value) => value.replace(/^Bearer /i, ""));
    return values.length > 0 && values.every((value) => value === this.#key);
  }

  #refuse(response: ServerResponse, codec: Codec): void {
    sendJson(response, 401, codec.error(401, "invalid x-api-key or bearer token"));
  }

  async #answer({ codec, body, entry, response }: Exchange): Promise<void> {
    const request = readRequest(codec, body, entry);
    if (request === undefined) return sendJson(response, 400, codec.error(400, "the fake model can't read this body"));
    const ended = new AbortController();
    response.on("close", () => ended.abort());
    await this.#held?.promise;
    if (this.#options.firstTokenMs) await pause(this.#options.firstTokenMs, ended.signal);
    if (ended.signal.aborted) return;
    entry.firstTokenAt = performance.now();
    const decision = decide(request.conversation);
    if (decision.kind === "fail") return sendFailure(response, codec, decision.status);
    const inputTokens = inputTokensOf(decision) ?? Math.ceil(body.length / charactersPerToken);
    const reply = { codec, request, decision, inputTokens };
    if (request.stream) await streamReply(reply, response, ended.signal);
    else await sendReply(reply, response, ended.signal);
  }
}

interface Exchange {
  readonly codec: Codec;
  readonly body: string;
  readonly entry: JournalEntry;
  readonly response: ServerResponse;
}

interface Reply {
  readonly codec: Codec;
  readonly request: ModelRequest;
  readonly decision: Exclude<Decision, { kind: "fail" }>;
  readonly inputTokens: number;
}

function newEntry(request: IncomingMessage, path: string): JournalEntry {
  const auth = authHeaders.flatMap((name) => {
    const value = request.headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return {
    method: request.method ?? "",
    path,
    auth: Object.fromEntries(auth),
    arrivedAt: performance.now(),
    body: undefined,
    model: undefined,
    effort: undefined,
    stream: false,
    tools: [],
    system: "",
    status: 0,
    firstTokenAt: undefined,
    endedAt: undefined,
    aborted: false,
  };
}

function readRequest(codec: Codec, body: string, entry: JournalEntry): ModelRequest | undefined {
  try {
    entry.body = JSON.parse(body);
    const request = codec.parse(entry.body);
    const { model, effort, stream, conversation } = request;
    Object.assign(entry, {
      model,
      effort,
      stream,
      tools: conversation.tools.map(fullName),
      system: conversation.system,
    });
    return request;
  } catch {
    return undefined;
  }
}

function writerFor({ codec, request, inputTokens }: Reply) {
  const id = randomUUID().replaceAll("-", "");
  return codec.writer({ id, model: request.model, thinking: request.thinking, inputTokens });
}

async function streamReply(reply: Reply, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { decision, inputTokens } = reply;
  const writer = writerFor(reply);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.write(writer.begin());
  if (decision.kind === "call") {
    response.write(writer.call(decision.call));
    response.end(writer.end("call", { inputTokens, outputTokens: outputTokensOf(JSON.stringify(decision.call)) }));
    return;
  }
  let text = "";
  for await (const token of paced(decision, signal)) {
    text += token;
    response.write(writer.token(token));
  }
  if (signal.aborted) return;
  response.end(writer.endText(text) + writer.end("text", { inputTokens, outputTokens: outputTokensOf(text) }));
}

async function sendReply(reply: Reply, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { decision, inputTokens } = reply;
  if (decision.kind === "answer") await pause(decision.slowSeconds * 1_000, signal);
  const content = decision.kind === "call" ? decision.call : decision.text;
  const outputTokens = outputTokensOf(JSON.stringify(content));
  sendJson(response, 200, writerFor(reply).whole(content, { inputTokens, outputTokens }));
}

/** The tokens of an answer; a slow one talks to itself first. */
async function* paced(
  { text, slowSeconds }: Decision & { kind: "answer" },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const slowTokens = Math.ceil((slowSeconds * 1_000) / slowTokenMs);
  if (slowTokens > 0) yield "<internal>";
  for (let token = 0; token < slowTokens && !signal.aborted; token++) {
    await pause(slowTokenMs, signal);
    yield " hm";
  }
  if (slowTokens > 0) yield "</internal>\n";
  yield* tokensOf(text);
}

const inputTokensOf = (decision: Decision): number | undefined =>
  decision.kind === "answer" ? decision.inputTokens : undefined;

const outputTokensOf = (text: string): number => tokensOf(text).length;

/** Never rejects. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}

function sendFailure(response: ServerResponse, codec: Codec, status: number): void {
  if (status === 429) response.setHeader("retry-after", retryAfterSeconds);
  sendJson(response, status, codec.error(status, `the script asked for status ${status}`));
}

/** What harnesses ask beside the model: whether it is there, and what there is. */
function sendOther(response: ServerResponse, method: string, path: string): void {
  if (method === "HEAD") response.writeHead(200).end();
  else if (path === "/v1/models") sendJson(response, 200, { object: "list", data: [], has_more: false });
  else sendJson(response, 404, openNotFound);
}

const openNotFound = anthropic.error(404, "the fake model has no such call");

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
