import { CopepodError } from "@copepod/core/errors";
import { readChunks } from "./body.ts";
import type { Calls } from "./calls.ts";
import type { WatchEvent, WatchOptions } from "./client.ts";
import { maxLineBytes, watchGraceMs } from "./limits.ts";
import { LineDecoder } from "./lines.ts";
import { isKubeObject } from "./objects.ts";
import { toApiError } from "./status.ts";
import { ExchangeFailure } from "./transport.ts";

interface Watch extends Pick<WatchOptions, "signal" | "timeoutSeconds" | "inactivityMs" | "opened"> {
  readonly what: string;
  readonly path: string;
}

export async function* watchEvents(
  calls: Calls,
  { what, path, signal, timeoutSeconds, inactivityMs, opened }: Watch,
): AsyncGenerator<WatchEvent> {
  using ending = calls.begin(what, signal, timeoutSeconds * 1_000 + watchGraceMs);
  try {
    const response = await calls.open(what, { method: "GET", path, watch: true }, ending);
    opened?.();
    const lines = new LineDecoder(maxLineBytes);
    for await (const chunk of readChunks(response, { clock: calls.clock, silenceMs: inactivityMs })) {
      for (const line of lines.push(chunk)) yield parseEvent(what, line);
    }
    lines.end();
  } catch (error) {
    ending.signal.throwIfAborted();
    if (!(error instanceof ExchangeFailure)) throw error;
    throw new CopepodError("clusterUnavailable", `${what}: ${error.message}`, { cause: error });
  }
}

function parseEvent(what: string, line: string): WatchEvent {
  const { type, object } = readEvent(line);
  if (type === "ERROR") throw toApiError({ what, body: object });
  if (isKubeObject(object)) {
    if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") return { type, object };
    const { resourceVersion } = object.metadata;
    if (type === "BOOKMARK" && typeof resourceVersion === "string") return { type, resourceVersion };
  }
  throw new CopepodError("clusterUnavailable", `${what}: the API server sent an event that can't be read`);
}

function readEvent(line: string): { readonly type?: unknown; readonly object?: unknown } {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null ? event : {};
  } catch {
    return {};
  }
}
