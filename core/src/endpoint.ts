import { z } from "zod";
import { CopepodError, errorBodySchema } from "./errors.ts";

/** One call of one API: the server binds a handler to it, the client is derived from it. */
export interface Endpoint<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly method: "GET" | "POST" | "PUT";
  /** With `:name` for parts that come from the input. */
  readonly path: string;
  readonly summary: string;
  /** Path parts, query (GET) and body (others) together. */
  readonly input: I;
  readonly output: O;
}

export type Api = Readonly<Record<string, Endpoint>>;

export const endpoint = <I extends z.ZodType, O extends z.ZodType>(definition: Endpoint<I, O>): Endpoint<I, O> =>
  definition;

/** Handlers of a server, by the names of the API. */
export type Handlers<A extends Api, Context> = {
  readonly [K in keyof A]: (input: z.output<A[K]["input"]>, context: Context) => Promise<z.input<A[K]["output"]>>;
};

/** Methods of a client, by the names of the API. Each throws a CopepodError with the server's code. */
export type Client<A extends Api> = {
  readonly [K in keyof A]: (input: z.input<A[K]["input"]>, options?: CallOptions) => Promise<z.output<A[K]["output"]>>;
};

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** The part of `fetch` that clients use; injected, so that core does no I/O and tests need no network. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<{ status: number; text(): Promise<string> }>;

export interface ClientOptions {
  readonly fetch: Fetch;
  /** For example `http://router:8080`; over a Unix socket the host is only a word. */
  readonly baseUrl: string;
  /** Bearer token, read anew for each call since tokens rotate. */
  readonly token?: () => string;
}

export function createClient<A extends Api>(api: A, options: ClientOptions): Client<A> {
  const methods = Object.entries(api).map(([name, definition]) => [
    name,
    (input: unknown, callOptions?: CallOptions) => call(definition, input, { ...options, ...callOptions }),
  ]);
  return Object.fromEntries(methods) as Client<A>;
}

async function call(definition: Endpoint, input: unknown, options: ClientOptions & CallOptions): Promise<unknown> {
  const { url, body } = buildRequest(definition, input, options.baseUrl);
  const answer = await send(url, body, definition.method, options);
  if (answer.status >= 400) throw toError(answer.status, answer.text);
  return definition.output.parse(answer.text === "" ? {} : JSON.parse(answer.text));
}

async function send(url: string, body: string | undefined, method: string, options: ClientOptions & CallOptions) {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (options.token) headers.authorization = `Bearer ${options.token()}`;
  try {
    const response = await options.fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new CopepodError("unavailable", "no answer: the other side is not running or the connection broke", {
      cause,
    });
  }
}

function buildRequest(definition: Endpoint, input: unknown, baseUrl: string) {
  const rest: Record<string, unknown> = { ...(input as Record<string, unknown>) };
  const path = definition.path.replaceAll(/:([a-zA-Z]+)/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  if (definition.method !== "GET") return { url: baseUrl + path, body: JSON.stringify(rest) };
  const query = new URLSearchParams(
    Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  ).toString();
  return { url: query ? `${baseUrl}${path}?${query}` : baseUrl + path, body: undefined };
}

/** What an answer with status 400 or more says. */
export function toError(status: number, text: string): CopepodError {
  const parsed = errorBodySchema.safeParse(safeJson(text));
  if (parsed.success) return new CopepodError(parsed.data.error.code, parsed.data.error.message);
  return new CopepodError(status >= 500 ? "unavailable" : "invalid", `unexpected answer with status ${status}`);
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A query parameter that is a number on the wire. */
export const queryInt = z.coerce.number().int();
