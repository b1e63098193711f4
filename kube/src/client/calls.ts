import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { ApiError } from "../errors.ts";
import type { Access, Connection } from "./access.ts";
import { readText } from "./body.ts";
import type { CallOptions } from "./client.ts";
import { Ending } from "./ending.ts";
import { callBackoff, callTimeoutMs, maxAnswerBytes, maxStatusBytes } from "./limits.ts";
import type { ClientObserver } from "./observer.ts";
import type { RateLimit } from "./rate.ts";
import { retryAfterOf, toApiError } from "./status.ts";
import { ExchangeFailure, type HttpRequest, type Transport } from "./transport.ts";

export interface Call {
  /** Verb, resource and name, for sentences. */
  readonly what: string;
  readonly request: HttpRequest;
  /** It does no harm when the server sees it twice. */
  readonly repeatable: boolean;
  readonly options: CallOptions;
}

interface CallsParts {
  readonly access: Access;
  readonly transport: Transport;
  readonly rate: RateLimit;
  readonly observer: ClientObserver | undefined;
}

/** Calls with their time-outs, repetitions and errors; and the starts of watches. */
export class Calls {
  readonly #parts: CallsParts;
  readonly #live = new Set<Ending>();
  #closed = false;

  constructor(parts: CallsParts) {
    this.#parts = parts;
  }

  /** @returns the parsed JSON of a success */
  async send(call: Call): Promise<unknown> {
    const { what, options } = call;
    const timeoutMs = options.timeoutMs ?? callTimeoutMs;
    using ending = this.begin(what, options.signal, timeoutMs);
    for (let attempt = 1; ; attempt++) {
      const tried = await this.#try(call, ending);
      if ("text" in tried) return parse(what, tried.text);
      ending.lastError = tried.error;
      const pauseMs = pauseAfter(call, tried, attempt);
      if (pauseMs === undefined || pauseMs >= ending.leftMs) throw tried.error;
      await ending.race((signal) => delay(pauseMs, undefined, { signal }));
    }
  }

  /** One try without the rate limit. @returns a success, whose body is for the caller to read and to end */
  async open({ what, request }: Pick<Call, "what" | "request">, ending: Ending): Promise<IncomingMessage> {
    const response = await this.#exchange(request, ending);
    if (isSuccess(response)) return response;
    throw await refusalOf(what, response);
  }

  /** Whatever lives until its end, or that of the signal, the time or this object. */
  begin(what: string, signal: AbortSignal | undefined, timeoutMs?: number): Ending {
    if (this.#closed) throw closedError(what);
    const ending = new Ending({ what, signal, timeoutMs, onDispose: () => this.#live.delete(ending) });
    this.#live.add(ending);
    return ending;
  }

  close(): void {
    this.#closed = true;
    for (const ending of [...this.#live]) ending.end(closedError(ending.what));
    this.#parts.transport.close();
  }

  async #try({ what, request }: Call, ending: Ending): Promise<Tried> {
    try {
      await this.#limit(request, ending);
      const response = await this.#exchange(request, ending);
      if (!isSuccess(response)) return { error: await refusalOf(what, response), unsent: false };
      return { text: await readText(response, maxAnswerBytes) };
    } catch (error) {
      ending.signal.throwIfAborted();
      if (!(error instanceof ExchangeFailure)) throw error;
      const outage = new CopepodError("clusterUnavailable", `${what}: ${error.message}`, { cause: error });
      return { error: outage, unsent: error.phase !== "sent" };
    }
  }

  async #limit(request: HttpRequest, ending: Ending): Promise<void> {
    const waitedMs = await ending.race((signal) => this.#parts.rate.take(signal));
    if (waitedMs === 0) return;
    const { endpoint } = await this.#parts.access.current();
    this.#parts.observer?.waited({
      verb: request.method,
      host: new URL(endpoint.server).host,
      seconds: waitedMs / 1_000,
    });
  }

  /** A refused identity is read again, and the request sent again when that brought another one. */
  async #exchange(request: HttpRequest, ending: Ending): Promise<IncomingMessage> {
    const { access } = this.#parts;
    const connection = await ending.race(() => access.current());
    const response = await this.#exchangeOn(connection, request, ending);
    if (response.statusCode !== 401) return response;
    access.refuse(connection);
    const renewed = await ending.race(() => access.current());
    if (renewed === connection) return response;
    response.resume();
    return await this.#exchangeOn(renewed, request, ending);
  }

  async #exchangeOn(connection: Connection, request: HttpRequest, ending: Ending): Promise<IncomingMessage> {
    try {
      return await this.#parts.transport.exchange(connection, request, ending.signal);
    } catch (error) {
      // A certificate that does not fit may have been rotated: the next try must see the new one.
      if (error instanceof ExchangeFailure && error.phase === "handshake") this.#parts.access.refuse(connection);
      throw error;
    }
  }
}

type Tried = { readonly text: string } | Failed;

interface Failed {
  readonly error: CopepodError;
  readonly unsent: boolean;
}

/** @returns milliseconds until the next try; undefined when there must be none */
function pauseAfter({ repeatable }: Call, { error, unsent }: Failed, attempt: number): number | undefined {
  const backoff = backoffMs(callBackoff, attempt, Math.random());
  if (!(error instanceof ApiError)) return repeatable || unsent ? backoff : undefined;
  const mayRepeat = error.status === 429 || (repeatable && error.status >= 500);
  return mayRepeat ? (error.retryAfterMs ?? backoff) : undefined;
}

const isSuccess = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

async function refusalOf(what: string, response: IncomingMessage): Promise<ApiError> {
  const retryAfterMs = retryAfterOf(response);
  const body = await readText(response, maxStatusBytes).then(
    (text) => parse(what, text),
    () => undefined,
  );
  const status = response.statusCode ?? 500;
  return toApiError({ what, status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

function parse(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CopepodError("clusterUnavailable", `${what}: the answer is not JSON`, { cause: error });
  }
}

const closedError = (what: string): CopepodError =>
  new CopepodError("unavailable", `${what}: the Kubernetes client is closed`);
