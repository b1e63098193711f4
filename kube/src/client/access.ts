import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { identityAgeMs } from "./limits.ts";

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
  /** `Authorization` and what else says who calls. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Who the client is and where the server is, as of now. What lies in files is read again every `identityAgeMs`, so that a
 * rotated token, key or CA counts without a restart; when that fails, the last one counts on.
 */
export class Access {
  readonly #load: (anew: boolean) => Promise<Connection>;
  readonly #now: () => number;
  #last: Connection | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<Connection> | undefined;
  #anew = false;

  /**
   * @param load reads everything; with `anew` also what it remembers from plug-ins
   * @param now milliseconds of a clock that only goes forward
   */
  constructor(load: (anew: boolean) => Promise<Connection>, now: () => number = () => performance.now()) {
    this.#load = load;
    this.#now = now;
  }

  /** @throws CopepodError `clusterUnavailable` when it can't be read and never could */
  async current(): Promise<Connection> {
    if (this.#last && this.#now() - this.#loadedAt < identityAgeMs) return this.#last;
    this.#loading ??= this.#reload().finally(() => {
      this.#loading = undefined;
    });
    return await this.#loading;
  }

  /** The server did not take this connection's identity: reads again at once, unless that has happened since. */
  refuse(refused: Connection): void {
    if (this.#last !== refused) return;
    this.#anew = true;
    this.#loadedAt = Number.NEGATIVE_INFINITY;
  }

  async #reload(): Promise<Connection> {
    const anew = this.#anew;
    this.#anew = false;
    try {
      this.#last = keepEqual(this.#last, await this.#load(anew));
    } catch (error) {
      if (!this.#last) throw unreadable(error);
    }
    this.#loadedAt = this.#now();
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

export interface InCluster {
  /** `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` of the pod. */
  readonly host: string;
  readonly port: string;
  /** Holds `token` and `ca.crt`. */
  readonly folder?: string;
}

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The identity of the pod that the program runs in. */
export function inClusterAccess({ host, port, folder = serviceAccountFolder }: InCluster): Access {
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return new Access(async () => {
    const read = (file: string) => readFile(join(folder, file), "utf8");
    const [ca, token] = await Promise.all([read("ca.crt"), read("token")]);
    return { endpoint: { server, ca }, headers: { authorization: `Bearer ${token.trim()}` } };
  });
}
