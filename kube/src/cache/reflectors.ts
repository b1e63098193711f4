import type { Cache } from "./cache.ts";
import { Reflector, type ReflectorDeps, type ReflectorSettings, type ReflectorStatus } from "./reflector.ts";

/** The parts of a reflector that do not depend on what it keeps. */
type Runner = Pick<Reflector<unknown>, "name" | "run" | "status"> & {
  readonly cache: Pick<Cache<unknown>, "whenSynced">;
};

/** All caches of a program: declared first, then run together. */
export class Reflectors {
  readonly #deps: ReflectorDeps;
  readonly #reflectors: Runner[] = [];

  constructor(deps: ReflectorDeps) {
    this.#deps = deps;
  }

  /** Must come before `run`. */
  declare<T>(settings: ReflectorSettings<T>): Cache<T> {
    const reflector = new Reflector(settings, this.#deps);
    this.#reflectors.push(reflector);
    return reflector.cache;
  }

  /** Runs all until the signal aborts; no failure ends it. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  /** Resolves once every first list is in; before that nothing may be decided. Rejects with the reason when they end before. */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map(({ cache }) => cache.whenSynced(signal)));
  }

  statuses(): (ReflectorStatus & { readonly name: string })[] {
    return this.#reflectors.map((reflector) => ({ name: reflector.name, ...reflector.status() }));
  }

  /** Why readiness has to say no; undefined while all is well. */
  problem(): string | undefined {
    return this.statuses().find(({ problem }) => problem !== undefined)?.problem;
  }
}
