import type { Readable } from "node:stream";
import { toError } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { blobPaths, type Uploaded, uploadedSchema } from "@copepod/core/files";
import { type Dispatcher, errors, request } from "undici";

/** The bytes of files, by their hash. Each call can be repeated. */
export interface Blobs {
  /** @throws CopepodError with the router's code; `unavailable` when the connection breaks */
  put(body: AsyncIterable<Uint8Array>, bytes: number, signal: AbortSignal): Promise<Uploaded>;
  /** @throws CopepodError as `put`, also while the bytes are read */
  get(blob: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface BlobsOptions {
  readonly dispatcher: Dispatcher;
  readonly baseUrl: string;
  readonly token: () => string;
}

export function createBlobs({ dispatcher, baseUrl, token }: BlobsOptions): Blobs {
  const url = baseUrl + blobPaths.mailbox;
  const headers = () => ({ authorization: `Bearer ${token()}`, accept: "application/json, application/octet-stream" });
  return {
    async put(body, bytes, signal) {
      const described = { "content-type": "application/octet-stream", "content-length": String(bytes) };
      const init = { dispatcher, signal, method: "PUT" as const, headers: { ...headers(), ...described } };
      const answer = await orUnavailable(request(url, { ...init, body: body as Readable }));
      return uploadedSchema.parse(JSON.parse(await answered(answer)));
    },
    async get(blob, signal) {
      const answer = await orUnavailable(request(`${url}/${blob}`, { dispatcher, signal, headers: headers() }));
      if (answer.statusCode >= 400) await answered(answer);
      return whole(answer.body);
    },
  };
}

/** @throws CopepodError with the code of the answer */
async function answered({ statusCode, body }: Dispatcher.ResponseData): Promise<string> {
  const text = await orUnavailable(body.text());
  if (statusCode >= 400) throw toError(statusCode, text);
  return text;
}

async function* whole(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
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
    if (cause instanceof CopepodError) throw cause;
    if (cause instanceof errors.RequestContentLengthMismatchError) {
      throw new CopepodError("invalid", "the file changed while it was read; send it again when it is done", { cause });
    }
    throw unavailable(cause);
  }
}

const unavailable = (cause: unknown): CopepodError =>
  new CopepodError("unavailable", "no answer: the other side is not running or the connection broke", { cause });
