import type { Cache, CacheChange } from "./cache.ts";
import { Indexes, type IndexFunctions } from "./indexes.ts";

/** What is kept of one object. It stays the same for the life of a key, so that indexes may point to it. */
interface Entry<T> {
  /** Opaque: compared for equality only. */
  resourceVersion: string | undefined;
  value: T;
}

/** A change that nothing can fail in any more. */
export interface Staged<T> extends Readonly<Entry<T>> {
  readonly key: string;
  /** Of each index. */
  readonly indexed: readonly (readonly string[])[];
}

interface StoreOptions<T> {
  readonly indexes: IndexFunctions<T>;
  readonly onListenerError: (error: unknown) => void;
}

type Listener<T> = (key: string, change: CacheChange<T>) => void;

/** The writing side of a cache. Each of its writes is one step for readers: listeners are called after it. */
export class Store<T> implements Cache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexes: Indexes<T, Entry<T>>;
  readonly #listeners = new Set<Listener<T>>();
  readonly #onListenerError: (error: unknown) => void;
  readonly #firstList = Promise.withResolvers<void>();
  #synced = false;

  constructor({ indexes, onListenerError }: StoreOptions<T>) {
    this.#indexes = new Indexes(indexes);
    this.#onListenerError = onListenerError;
    // Nobody has to wait for it.
    this.#firstList.promise.catch(() => undefined);
  }

  get synced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#entries.size;
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    if (!signal) return this.#firstList.promise;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const giveUp = () => reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      this.#firstList.promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
    });
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  *values(): IterableIterator<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  byIndex(index: string, value: string): readonly T[] {
    return Array.from(this.#indexes.entries(index, value), (entry) => entry.value);
  }

  subscribe(listener: Listener<T>): () => void {
    // The same function may be given twice.
    const own: Listener<T> = (key, change) => listener(key, change);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  resourceVersion(key: string): string | undefined {
    return this.#entries.get(key)?.resourceVersion;
  }

  /** @throws whatever an index function throws; the store is unchanged */
  stage(key: string, resourceVersion: string | undefined, value: T): Staged<T> {
    return { key, resourceVersion, value, indexed: this.#indexes.valuesOf(value) };
  }

  put(staged: Staged<T>): void {
    this.#tell(staged.key, this.#set(staged));
  }

  delete(key: string): void {
    const change = this.#remove(key);
    if (change) this.#tell(key, change);
  }

  /** Takes over a complete list. @param listed all its keys @param changed those that are new or other than before */
  replace(listed: ReadonlySet<string>, changed: readonly Staged<T>[]): void {
    const changes: (readonly [string, CacheChange<T>])[] = [];
    for (const key of this.#entries.keys()) {
      if (listed.has(key)) continue;
      const change = this.#remove(key);
      if (change) changes.push([key, change]);
    }
    for (const staged of changed) changes.push([staged.key, this.#set(staged)]);
    this.#synced = true;
    for (const [key, change] of changes) this.#tell(key, change);
    this.#firstList.resolve();
  }

  /** Nothing will come any more: who still waits for the first list gets this reason. */
  end(reason: unknown): void {
    this.#firstList.reject(reason);
  }

  #set({ key, resourceVersion, value, indexed }: Staged<T>): CacheChange<T> {
    const entry = this.#entries.get(key);
    if (!entry) {
      const added = { resourceVersion, value };
      this.#entries.set(key, added);
      this.#indexes.add(added, indexed);
      return { before: undefined, after: value };
    }
    const before = entry.value;
    this.#indexes.remove(entry);
    entry.resourceVersion = resourceVersion;
    entry.value = value;
    this.#indexes.add(entry, indexed);
    return { before, after: value };
  }

  #remove(key: string): CacheChange<T> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#indexes.remove(entry);
    return { before: entry.value, after: undefined };
  }

  #tell(key: string, change: CacheChange<T>): void {
    for (const listener of this.#listeners) {
      try {
        // The type lets an async function pass.
        const returned: unknown = listener(key, change);
        if (returned instanceof Promise) returned.catch(this.#onListenerError);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
