import type { IncomingMessage } from "node:http";
import { CopepodError } from "@copepod/core/errors";
import type { Clock } from "../clock.ts";
import { Bytes } from "./bytes.ts";
import { ExchangeFailure } from "./transport.ts";

export interface BodyLimits {
  readonly clock: Clock;
  /** Without a byte for this long, the body counts as cut. */
  readonly silenceMs: number;
  readonly maxBytes: number;
  /** For the sentence of an answer that is too large. */
  readonly what: string;
}

/** @throws CopepodError `tooLarge`; ExchangeFailure when the body is cut */
export async function readText(response: IncomingMessage, { maxBytes, what, ...limits }: BodyLimits): Promise<string> {
  const bytes = new Bytes();
  for await (const chunk of readChunks(response, limits)) {
    if (bytes.length + chunk.length > maxBytes) {
      throw new CopepodError("tooLarge", `${what}: the answer is larger than ${maxBytes} bytes; ask for less at once`);
    }
    bytes.push(chunk);
  }
  return bytes.take();
}

/**
 * The chunks, at the pace of who takes them: only the wait for the server counts as silence. Whoever stops taking closes the
 * connection.
 * @throws ExchangeFailure when the body is cut
 */
export async function* readChunks(
  response: IncomingMessage,
  { clock, silenceMs }: Pick<BodyLimits, "clock" | "silenceMs">,
): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
  const silent = new Error(`nothing came for ${silenceMs} ms`);
  try {
    for (;;) {
      const stop = clock.after(silenceMs, () => response.destroy(silent));
      const next = await chunks.next().finally(stop);
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ExchangeFailure(`the answer was cut: ${reason}`, { phase: "sent", cause: error });
  } finally {
    response.destroy();
  }
}
