import type { IncomingMessage } from "node:http";
import { CopepodError } from "@copepod/core/errors";
import { silenceMs } from "./limits.ts";
import { ExchangeFailure } from "./transport.ts";

/**
 * Reads a body to its end.
 * @throws CopepodError `tooLarge`; ExchangeFailure when the body is cut, or nothing of it comes for `silenceMs`
 */
export function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error) => {
      clearTimeout(silence);
      reject(error);
      response.destroy();
    };
    const silence = setTimeout(() => fail(cut(`nothing more came for ${silenceMs} ms`)), silenceMs);
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) fail(tooLarge(maxBytes));
      else chunks.push(chunk);
      silence.refresh();
    });
    response.on("end", () => {
      clearTimeout(silence);
      resolve((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes))?.toString("utf8") ?? "");
    });
    response.on("error", (error) => fail(cut(`the answer was cut (${error.message})`, error)));
  });
}

/** Chunks of an endless body, at the pace of who takes them. @throws ExchangeFailure as `readText` */
export async function* readChunks(response: IncomingMessage, inactivityMs: number): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = response.iterator()[Symbol.asyncIterator]();
  let silent = false;
  const silence = setTimeout(() => {
    silent = true;
    response.destroy();
  }, inactivityMs);
  try {
    for (;;) {
      // Only the wait for the server counts, never the time that the taker needs.
      silence.refresh();
      const next = await chunks.next();
      clearTimeout(silence);
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    if (silent) throw cut(`nothing came for ${inactivityMs} ms`, error);
    throw cut(`the answer was cut (${error instanceof Error ? error.message : error})`, error);
  } finally {
    clearTimeout(silence);
    response.destroy();
  }
}

const cut = (message: string, cause?: unknown) => new ExchangeFailure(message, { phase: "sent", cause });

const tooLarge = (maxBytes: number) =>
  new CopepodError("tooLarge", `the answer of the API server is larger than ${maxBytes} bytes; ask for smaller pages`);
