import type { Cache } from "./cache.ts";
import { Reflector, type ReflectorDeps, type ReflectorSettings } from "./reflector.ts";

/** The parts of a reflector that do not depend on what it keeps. */
type Runner = Pick<Reflector<unknown>, "name" | "run" | "problem"> & {
  readonly cache: Pick<Cache<unknown>, "whenSynced">;
};

/** All caches of a program: declared first, then run together. */
export class Reflectors {
  readonly #deps: ReflectorDeps;
  readonly #reflectors: Runner[] = [];

  constructor(deps: ReflectorDeps) {
    this.#deps = deps;
  }

  /** Must come before `run`. @throws TypeError when another has its name: nobody could tell them apart */
  declare<T>(settings: ReflectorSettings<T>): Cache<T> {
    const reflector = new Reflector(settings, this.#deps);
    if (this.#reflectors.some(({ name }) => name === reflector.name)) {
      throw new TypeError(`two caches are named ${reflector.name}; give one of them a name of its own`);
    }
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

  /** Why a cache should not be relied on, as a sentence; undefined while all is well. */
  problem(): string | undefined {
    for (const reflector of this.#reflectors) {
      const problem = reflector.problem();
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}
