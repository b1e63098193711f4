import Pool from "undici/lib/dispatcher/pool.js";
import type { ProxyLimits } from "../limits.ts";
import type { Route } from "../rules/rules.ts";
import { createConnector, type Resolve } from "./connector.ts";

export interface UpstreamsDeps {
  readonly resolve: Resolve;
  readonly limits: ProxyLimits;
  /** Only for tests: who signs the certificates of upstreams. */
  readonly ca: string | undefined;
}

/** The connections to the model APIs, apart for each credential. */
export class Upstreams implements AsyncDisposable {
  readonly #deps: UpstreamsDeps;
  readonly #pools = new Map<string, { readonly key: string; readonly pool: Pool }>();

  constructor(deps: UpstreamsDeps) {
    this.#deps = deps;
  }

  poolOf({ upstream, origin }: Route): Pool {
    const key = keyOf({ upstream, origin });
    const known = this.#pools.get(upstream.name);
    if (known?.key === key) return known.pool;
    if (known) void known.pool.close();
    const pool = this.#open({ upstream, origin });
    this.#pools.set(upstream.name, { key, pool });
    return pool;
  }

  /** Ends the connections of every credential that is gone or leads elsewhere now, in the middle of an answer too. */
  keepOnly(routes: ReadonlyMap<string, Route>): void {
    for (const [name, { key, pool }] of this.#pools) {
      const route = routes.get(name);
      if (route && keyOf(route) === key) continue;
      this.#pools.delete(name);
      void pool.destroy();
    }
  }

  #open({ upstream, origin }: Place): Pool {
    const { resolve, limits, ca } = this.#deps;
    const isPlain = origin.startsWith("http:");
    return new Pool(origin, {
      connect: createConnector({ isPrivate: upstream.private, isPlain, resolve, limits, ca }),
      connections: limits.maxModelRequests,
      pipelining: 1,
      headersTimeout: limits.answerHeadMs,
      bodyTimeout: limits.answerIdleMs,
      maxHeaderSize: limits.maxHeadBytes,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
  }
}

type Place = Pick<Route, "upstream" | "origin">;

const keyOf = ({ upstream, origin }: Place): string => `${upstream.private} ${origin}`;
