import type { IncomingMessage } from "node:http";
import { backoffMs } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { type Clock, pause } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { type Rate, TokenBucket } from "../token-bucket.ts";
import type { Access, Connection } from "./access.ts";
import { readText } from "./body.ts";
import type { CallOptions } from "./client.ts";
import { Ending } from "./ending.ts";
import { callBackoff, callTimeoutMs, maxAnswerBytes, maxStatusBytes, silenceMs } from "./limits.ts";
import type { ClientObserver } from "./observer.ts";
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
  readonly rate: Rate;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: ClientObserver | undefined;
}

/** Calls with their time-outs, repetitions and errors; and the starts of watches. */
export class Calls {
  readonly #parts: CallsParts;
  readonly #bucket: TokenBucket;
  readonly #live = new Set<Ending>();
  #closed = false;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket(parts.rate, () => parts.clock.monotonic());
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  /** @returns the parsed JSON of a success */
  async send(call: Call): Promise<unknown> {
    const { what, repeatable, options } = call;
    const { timeoutMs = callTimeoutMs } = options;
    using ending = this.begin(what, options.signal, timeoutMs);
    // An admission webhook takes its time; only where another try may follow is half of the call left for it.
    const request = { ...call.request, answerMs: repeatable ? Math.max(silenceMs, timeoutMs / 2) : timeoutMs };
    for (let attempt = 1; ; attempt++) {
      const tried = await this.#try(what, request, ending);
      if ("text" in tried) return parse(what, tried.text);
      ending.lastError = tried.error;
      const pauseMs = pauseAfter(call, tried, backoffMs(callBackoff, attempt, this.#parts.random()));
      if (pauseMs === undefined || pauseMs >= ending.leftMs) throw tried.error;
      await pause(this.clock, pauseMs, ending.signal);
    }
  }

  /** One try, beside the rate limit. @returns a success; its body is for the caller to read or to destroy */
  async open(what: string, request: HttpRequest, ending: Ending): Promise<IncomingMessage> {
    const response = await this.#exchange(request, ending);
    if (isSuccess(response)) return response;
    throw await this.#refusal(what, response);
  }

  /** @throws CopepodError `unavailable` when closed */
  begin(what: string, signal: AbortSignal | undefined, timeoutMs: number): Ending {
    if (this.#closed) throw closed();
    return new Ending({ what, signal, timeoutMs, live: this.#live, clock: this.clock });
  }

  close(): void {
    this.#closed = true;
    for (const ending of this.#live) ending.end(closed());
    this.#parts.access.end(closed());
    this.#parts.transport.close();
  }

  async #try(what: string, request: HttpRequest, ending: Ending): Promise<Tried> {
    try {
      await this.#waitForRate(request.method, ending);
      const response = await this.#exchange(request, ending);
      if (!isSuccess(response)) return { error: await this.#refusal(what, response), unsent: false };
      return { text: await this.#read(what, response, maxAnswerBytes) };
    } catch (error) {
      ending.signal.throwIfAborted();
      if (!(error instanceof ExchangeFailure)) throw error;
      const outage = new CopepodError("clusterUnavailable", `${what}: ${error.message}`, { cause: error });
      return { error: outage, unsent: error.phase !== "sent" };
    }
  }

  /** Whoever comes too early waits in the order of coming; who gives up leaves its token to the next. */
  async #waitForRate(verb: string, ending: Ending): Promise<void> {
    const { access, observer } = this.#parts;
    const waitMs = this.#bucket.take();
    if (waitMs === 0) return;
    await pause(this.clock, waitMs, ending.signal);
    if (ending.signal.aborted) this.#bucket.giveBack();
    ending.signal.throwIfAborted();
    const { host } = new URL((await ending.race(access.current())).endpoint.server);
    observer?.waited({ verb, host, seconds: waitMs / 1_000 });
  }

  /** A refused identity is read again, and the request sent again when that brought another one. */
  async #exchange(request: HttpRequest, ending: Ending): Promise<IncomingMessage> {
    const { access } = this.#parts;
    const connection = await ending.race(access.current());
    const response = await this.#exchangeOn(connection, request, ending);
    if (response.statusCode !== 401) return response;
    access.refuse(connection);
    const renewed = await ending.race(access.current());
    if (renewed === connection) return response;
    response.destroy();
    return await this.#exchangeOn(renewed, request, ending);
  }

  async #exchangeOn(connection: Connection, request: HttpRequest, { signal }: Ending): Promise<IncomingMessage> {
    const { access, transport } = this.#parts;
    try {
      return await transport.exchange(connection, request, signal);
    } catch (error) {
      // A certificate that does not fit may have been rotated: the next try must see the new one.
      if (error instanceof ExchangeFailure && error.phase === "handshake") access.refuse(connection);
      throw error;
    }
  }

  async #read(what: string, response: IncomingMessage, maxBytes: number): Promise<string> {
    return await readText(response, { what, clock: this.clock, silenceMs, maxBytes });
  }

  async #refusal(what: string, response: IncomingMessage): Promise<ApiError> {
    // What stands between the client and the API server may answer in HTML, or not to the end.
    const body = await this.#read(what, response, maxStatusBytes)
      .then((text) => parse(what, text))
      .catch(() => undefined);
    const retryAfterMs = retryAfterOf(response, this.clock.now());
    return toApiError({ what, status: response.statusCode ?? 0, body, retryAfterMs });
  }
}

type Tried = { readonly text: string } | Failed;

interface Failed {
  readonly error: CopepodError;
  readonly unsent: boolean;
}

/** @returns milliseconds until the next try; undefined when there must be none */
function pauseAfter({ repeatable }: Call, { error, unsent }: Failed, backoff: number): number | undefined {
  if (!(error instanceof ApiError)) return repeatable || unsent ? backoff : undefined;
  const mayRepeat = error.status === 429 || (repeatable && error.status >= 500);
  // Not all clients at the same moment that the server has named.
  return mayRepeat ? (error.retryAfterMs ?? 0) + backoff : undefined;
}

const isSuccess = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

function parse(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CopepodError("clusterUnavailable", `${what}: the answer is not JSON`, { cause: error });
  }
}

const closed = (): CopepodError => new CopepodError("unavailable", "the Kubernetes client is closed");
