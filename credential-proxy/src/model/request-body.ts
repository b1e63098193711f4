import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { CopepodError } from "@copepod/core/errors";
import type { ProxyLimits } from "../limits.ts";

/** How many bytes all requests together may still keep. */
export interface KeptBudget {
  freeBytes: number;
}

export interface RequestBodyDeps {
  readonly limits: Pick<ProxyLimits, "maxModelBodyBytes" | "maxGatheredBytes" | "maxReplayBytes">;
  readonly kept: KeptBudget;
}

/**
 * The body of a request, which may be sent more than once as long as all of it that has come is still kept. Reads from
 * the client only as fast as it is sent on. Never touches the client's connection: the answer needs it.
 */
export class RequestBody {
  /** Bytes as announced; absent = chunked. */
  readonly length: number | undefined;
  readonly #request: IncomingMessage;
  readonly #deps: RequestBodyDeps;
  #chunks: Buffer[] | undefined = [];
  #keptBytes = 0;
  #bytes = 0;
  #reader: Readable | undefined;
  #hasEnded = false;
  #failure: Error | undefined;
  #onGathered: (() => void) | undefined;

  /** @throws CopepodError `tooLarge` for a length that is announced */
  constructor(request: IncomingMessage, deps: RequestBodyDeps) {
    this.#request = request;
    this.#deps = deps;
    const { "content-length": length, "transfer-encoding": coding } = request.headers;
    this.length = coding === undefined ? Number(length ?? 0) : undefined;
    if ((this.length ?? 0) > deps.limits.maxModelBodyBytes) throw tooLarge(deps.limits.maxModelBodyBytes);
    if (this.length === 0) return;
    request.on("data", (chunk: Buffer) => this.#take(chunk));
    request.once("end", () => this.#end());
    request.once("close", () => this.#hasEnded || this.#fail(new Error("the client has gone")));
    if (this.length === undefined || this.length > deps.limits.maxGatheredBytes) request.pause();
  }

  /** Why the body could not be read to its end. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get canReplay(): boolean {
    return this.#chunks !== undefined && this.#failure === undefined;
  }

  /** Calls back when it may be sent: a short body as soon as it is whole, a long one at once. */
  whenReady(ready: () => void): void {
    const isShort = this.length !== undefined && this.length <= this.#deps.limits.maxGatheredBytes;
    if (isShort && this.length !== 0 && !this.#hasEnded) this.#onGathered = ready;
    else ready();
  }

  /** From the beginning; the one before gets nothing more. */
  open(): Buffer | Readable | null {
    if (this.length === 0) return null;
    if (this.#hasEnded && this.#chunks)
      return this.#chunks.length === 1 ? (this.#chunks[0] ?? null) : Buffer.concat(this.#chunks);
    const reader = new Readable({
      read: () => void this.#request.resume(),
      highWaterMark: this.#deps.limits.maxGatheredBytes,
    });
    // Whoever sends it on listens too, but not for as long.
    reader.on("error", () => undefined);
    this.#reader = reader;
    for (const chunk of this.#chunks ?? []) reader.push(chunk);
    if (this.#failure) reader.destroy(this.#failure);
    else if (this.#hasEnded) reader.push(null);
    return reader;
  }

  /** From now on it will not be sent again. */
  forget(): void {
    this.#chunks = undefined;
    this.#deps.kept.freeBytes += this.#keptBytes;
    this.#keptBytes = 0;
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const { maxModelBodyBytes } = this.#deps.limits;
    if (this.#bytes > maxModelBodyBytes) {
      this.#fail(tooLarge(maxModelBodyBytes));
      return;
    }
    this.#keep(chunk);
    if (this.#reader && !this.#reader.destroyed && !this.#reader.push(chunk)) this.#request.pause();
  }

  #keep(chunk: Buffer): void {
    if (!this.#chunks) return;
    const { kept, limits } = this.#deps;
    // A short body is not sent before it is whole, so all of it is kept.
    const isShort = this.length !== undefined && this.length <= limits.maxGatheredBytes;
    const hasRoom = this.#keptBytes + chunk.length <= limits.maxReplayBytes && chunk.length <= kept.freeBytes;
    if (!isShort && !hasRoom) {
      this.forget();
      return;
    }
    this.#chunks.push(chunk);
    this.#keptBytes += chunk.length;
    kept.freeBytes -= chunk.length;
  }

  #end(): void {
    this.#hasEnded = true;
    this.#reader?.push(null);
    this.#onGathered?.();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#reader?.destroy(error);
    this.#onGathered?.();
  }
}

const tooLarge = (bytes: number): CopepodError =>
  new CopepodError("tooLarge", `the body is larger than ${bytes} bytes`);
