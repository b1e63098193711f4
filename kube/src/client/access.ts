import { isDeepStrictEqual } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import type { Clock } from "../clock.ts";
import { Ending } from "./ending.ts";
import { identityAgeMs, identityTimeoutMs } from "./limits.ts";

/** Where the API server is, and how a connection to it is made. Another one means other sockets. */
export interface Endpoint {
  /** Such as `https://10.0.0.1:443`, with a path where the server lies behind one. */
  readonly server: string;
  /** PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name in the server's certificate when it is not that of the URL. */
  readonly servername?: string;
  readonly insecure?: boolean;
  /** HTTP proxy in front of the server. */
  readonly proxyUrl?: string;
}

export interface Connection {
  readonly endpoint: Endpoint;
  /** `authorization` and what else says who calls. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads all that a connection needs; with `anew` also what it remembers from plug-ins. The signal: nobody waits any more. */
export type Identity = (anew: boolean, signal?: AbortSignal) => Promise<Connection>;

/**
 * The identity as of now: it is read again every `identityAgeMs`, so that a rotated token, key or CA counts without a
 * restart. When that fails, the last one counts on.
 */
export class Access {
  readonly #read: Identity;
  readonly #clock: Clock;
  readonly #live = new Set<Ending>();
  #last: Connection | undefined;
  #freshUntil = Number.NEGATIVE_INFINITY;
  #reading: Promise<Connection> | undefined;
  #anew = false;

  constructor(read: Identity, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @throws CopepodError `clusterUnavailable` when it can't be read and never could */
  async current(): Promise<Connection> {
    if (this.#last && this.#clock.monotonic() < this.#freshUntil) return this.#last;
    this.#reading ??= this.#readAgain().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  /** The server did not take this connection: the next one is read at once, unless that has happened since. */
  refuse(refused: Connection): void {
    if (this.#last !== refused) return;
    this.#anew = true;
    this.#freshUntil = Number.NEGATIVE_INFINITY;
  }

  /** A reading that is going on ends. */
  end(reason: unknown): void {
    for (const ending of this.#live) ending.end(reason);
  }

  async #readAgain(): Promise<Connection> {
    const anew = this.#anew;
    this.#anew = false;
    using ending = new Ending({
      what: "read how to reach the Kubernetes API server",
      ...{ signal: undefined, timeoutMs: identityTimeoutMs, clock: this.#clock, live: this.#live },
    });
    try {
      this.#last = keepEqual(this.#last, await ending.race(this.#read(anew, ending.signal)));
    } catch (error) {
      if (!this.#last) throw unreadable(error);
    }
    this.#freshUntil = this.#clock.monotonic() + identityAgeMs;
    return this.#last;
  }
}

/** Equal parts stay the same objects, since sockets and refusals are told apart by them. */
function keepEqual(last: Connection | undefined, next: Connection): Connection {
  if (!last) return next;
  if (isDeepStrictEqual(last, next)) return last;
  return isDeepStrictEqual(last.endpoint, next.endpoint) ? { ...next, endpoint: last.endpoint } : next;
}

function unreadable(error: unknown): CopepodError {
  if (error instanceof CopepodError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CopepodError("clusterUnavailable", `can't read how to reach the Kubernetes API server: ${reason}`, {
    cause: error,
  });
}
