import type { Dispatcher } from "undici";
import type { Route } from "../rules/rules.ts";
import type { openPool, Place, UpstreamsDeps } from "./open-pool.ts";

/** Takes an error also before there is a connection. */
interface Handler extends Dispatcher.DispatchHandler {
  onResponseError(controller: Dispatcher.DispatchController | undefined, error: Error): void;
}

/** The connections to the model APIs, apart for each credential. */
export class Upstreams implements AsyncDisposable {
  readonly #deps: UpstreamsDeps;
  readonly #pools = new Map<string, { readonly key: string; readonly pool: Dispatcher }>();
  #openPool: typeof openPool | undefined;
  #changes = 0;

  constructor(deps: UpstreamsDeps) {
    this.#deps = deps;
  }

  /** What the client needs is read with the first request: a session starts sooner, and some never ask a model. */
  dispatch(route: Route, request: Dispatcher.DispatchOptions, handler: Handler): void {
    if (this.#openPool) {
      this.#poolOf(route, this.#openPool).dispatch(request, handler);
      return;
    }
    const changes = this.#changes;
    import("./open-pool.ts")
      .then((loaded) => {
        if (changes !== this.#changes) throw new Error("the rules have changed");
        this.#openPool = loaded.openPool;
        this.dispatch(route, request, handler);
      })
      .catch((error: Error) => handler.onResponseError(undefined, error));
  }

  #poolOf({ upstream, origin }: Route, open: typeof openPool): Dispatcher {
    const key = keyOf({ upstream, origin });
    const known = this.#pools.get(upstream.name);
    if (known?.key === key) return known.pool;
    if (known) void known.pool.close();
    const pool = open({ upstream, origin }, this.#deps);
    this.#pools.set(upstream.name, { key, pool });
    return pool;
  }

  /** Ends the connections of every credential that is gone or leads elsewhere now, in the middle of an answer too. */
  keepOnly(routes: ReadonlyMap<string, Route>): void {
    this.#changes++;
    for (const [name, { key, pool }] of this.#pools) {
      const route = routes.get(name);
      if (route && keyOf(route) === key) continue;
      this.#pools.delete(name);
      void pool.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()));
  }
}

const keyOf = ({ upstream, origin }: Place): string => `${upstream.private} ${origin}`;
