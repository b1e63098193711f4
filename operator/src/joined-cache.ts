import type { Cache, CacheChange } from "@copepod/kube/cache/cache";
import { parseKey } from "@copepod/kube/object";

/** One cache of the watched namespaces, which are listed one by one: so Roles in them are enough. */
export class JoinedCache<T> implements Cache<T> {
  readonly #parts: ReadonlyMap<string, Cache<T>>;

  /** @param parts by namespace */
  constructor(parts: ReadonlyMap<string, Cache<T>>) {
    this.#parts = parts;
  }

  get synced(): boolean {
    return [...this.#parts.values()].every(({ synced }) => synced);
  }

  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all(Array.from(this.#parts.values(), (part) => part.whenSynced(signal)));
  }

  get size(): number {
    return this.#parts.values().reduce((sum, { size }) => sum + size, 0);
  }

  get(key: string): T | undefined {
    return this.#parts.get(parseKey(key).namespace ?? "")?.get(key);
  }

  *values(): IterableIterator<T> {
    for (const part of this.#parts.values()) yield* part.values();
  }

  byIndex(index: string, value: string): readonly T[] {
    return [...this.#parts.values()].flatMap((part) => part.byIndex(index, value));
  }

  subscribe(listener: (key: string, change: CacheChange<T>) => void): () => void {
    const ends = Array.from(this.#parts.values(), (part) => part.subscribe(listener));
    return () => {
      for (const end of ends) end();
    };
  }
}
