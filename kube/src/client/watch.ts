import { CopepodError } from "@copepod/core/errors";
import type { KubeObject } from "../object.ts";
import { readChunks } from "./body.ts";
import type { Calls } from "./calls.ts";
import type { WatchEvent } from "./client.ts";
import { maxLineBytes } from "./limits.ts";
import { BrokenLine, LineDecoder } from "./lines.ts";
import { isKubeObject } from "./objects.ts";
import { toApiError } from "./status.ts";
import { ExchangeFailure } from "./transport.ts";

interface Watch {
  readonly what: string;
  readonly path: string;
  readonly inactivityMs: number;
  readonly signal: AbortSignal | undefined;
}

export async function* watchEvents(
  calls: Calls,
  { what, path, inactivityMs, signal }: Watch,
): AsyncGenerator<WatchEvent> {
  using ending = calls.begin(what, signal);
  try {
    const request = { method: "GET", path, watch: true } as const;
    const response = await calls.open({ what, request }, ending);
    const lines = new LineDecoder(maxLineBytes);
    for await (const chunk of readChunks(response, inactivityMs)) {
      for (const line of lines.push(chunk)) yield parseEvent(what, line);
    }
    ending.signal.throwIfAborted();
    lines.end();
  } catch (error) {
    ending.signal.throwIfAborted();
    if (!(error instanceof ExchangeFailure || error instanceof BrokenLine)) throw error;
    throw new CopepodError("clusterUnavailable", `${what}: ${error.message}`, { cause: error });
  }
}

function parseEvent(what: string, line: string): WatchEvent {
  const { type, object } = readEvent(what, line);
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (isKubeObject(object)) return { type, object };
      break;
    case "BOOKMARK":
      if (hasVersion(object)) return { type, resourceVersion: object.metadata.resourceVersion };
      break;
    case "ERROR":
      throw toApiError({ what, body: object });
  }
  throw new CopepodError("clusterUnavailable", `${what}: an event of the type "${type}" could not be read`);
}

function readEvent(what: string, line: string): { readonly type: unknown; readonly object: unknown } {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event === "object" && event !== null && "type" in event && "object" in event) return event;
  } catch (error) {
    throw new CopepodError("clusterUnavailable", `${what}: an event is not JSON`, { cause: error });
  }
  throw new CopepodError("clusterUnavailable", `${what}: an event has no type or no object`);
}

const hasVersion = (object: unknown): object is KubeObject & { metadata: { resourceVersion: string } } =>
  isKubeObject(object) && typeof object.metadata.resourceVersion === "string";
