import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { text as readText } from "node:stream/consumers";

/** Where the scripted platform listens. */
export type PlatformEndpoint = { readonly url: string } | { readonly socket: string };

export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** What became of one HTTP call, told apart by what the platform can have seen of it. */
export type Answer =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfterMs?: number; readonly body: unknown }
  /** No connection came about: the platform has seen nothing. */
  | { readonly kind: "notReached"; readonly reason: string }
  /** The connection ended without an answer: the platform may have seen all of it. */
  | { readonly kind: "broken"; readonly reason: string };

/** One call on a connection of its own, so that nothing is kept open between calls. Never rejects. */
export async function callPlatform(endpoint: PlatformEndpoint, call: Call): Promise<Answer> {
  if (call.signal.aborted) return { kind: "notReached", reason: "the call was ended before it began" };
  let connected = false;
  try {
    const outgoing = open(endpoint, call);
    outgoing.once("socket", (socket) => socket.once("connect", () => (connected = true)));
    return await read(await exchange(outgoing, call.body));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: connected ? "broken" : "notReached", reason };
  }
}

function open(endpoint: PlatformEndpoint, { method, path, body, signal }: Call): ClientRequest {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const options = { method, headers, signal, agent: false } as const;
  if ("socket" in endpoint) return request({ ...options, socketPath: endpoint.socket, path });
  return request(new URL(path, endpoint.url), options);
}

function exchange(outgoing: ClientRequest, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const text = await readText(response);
  const seconds = Number(response.headers["retry-after"]);
  return {
    kind: "answered",
    status: response.statusCode ?? 0,
    ...(seconds > 0 ? { retryAfterMs: Math.ceil(seconds * 1_000) } : {}),
    body: parseJson(text),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
