import { toError } from "./endpoint.ts";
import { CopepodError } from "./errors.ts";
import { type Uploaded, uploadedSchema } from "./files.ts";

export type Bytes = AsyncIterable<Uint8Array>;

/** The bytes of files, by their hash. Each call can be repeated. */
export interface Blobs {
  /** @throws CopepodError with the router's code; `unavailable` when the connection breaks; what the body throws */
  put(body: Bytes, bytes: number, signal: AbortSignal): Promise<Uploaded>;
  /** @throws CopepodError with the router's code; `unavailable` when the connection breaks, also while bytes are read */
  get(blob: string, signal: AbortSignal): Promise<Bytes>;
}

/** The part of an HTTP client that is used; injected, as `Fetch` is. */
export type SendBytes = (
  url: string,
  init: { method: "GET" | "PUT"; headers: Record<string, string>; body?: Bytes; signal: AbortSignal },
) => Promise<{ status: number; body: Bytes & { text(): Promise<string> } }>;

export interface BlobsOptions {
  readonly send: SendBytes;
  /** Where blobs are put; they are got below it. */
  readonly url: string;
  readonly token?: () => string;
}

export function createBlobs({ send, url, token }: BlobsOptions): Blobs {
  const authorization = (): Record<string, string> => (token ? { authorization: `Bearer ${token()}` } : {});
  return {
    async put(body, bytes, signal) {
      const described = { "content-type": "application/octet-stream", "content-length": String(bytes) };
      const headers = { ...authorization(), ...described };
      const answer = await orUnavailable(send(url, { method: "PUT", headers, body, signal }));
      const text = await orUnavailable(answer.body.text());
      if (answer.status >= 400) throw toError(answer.status, text);
      return uploadedSchema.parse(JSON.parse(text));
    },
    async get(blob, signal) {
      return await getBytes(send, `${url}/${blob}`, { headers: authorization(), signal });
    },
  };
}

/** What is at a URL, as a stream. @throws as `Blobs.get` */
export async function getBytes(
  send: SendBytes,
  url: string,
  init: { readonly headers?: Record<string, string>; readonly signal: AbortSignal },
): Promise<Bytes> {
  const answer = await orUnavailable(send(url, { method: "GET", headers: {}, ...init }));
  if (answer.status >= 400) throw toError(answer.status, await orUnavailable(answer.body.text()));
  return whole(answer.body);
}

async function* whole(body: Bytes): Bytes {
  try {
    yield* body;
  } catch (cause) {
    throw unavailable(cause);
  }
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw cause instanceof CopepodError ? cause : unavailable(cause);
  }
}

const unavailable = (cause: unknown): CopepodError =>
  new CopepodError("unavailable", "no answer: the other side is not running or the connection broke", { cause });
