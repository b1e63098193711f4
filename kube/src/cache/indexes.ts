/** By name of the index: the values under which an object is found. Pure, and called again when the object leaves. */
export type IndexFunctions<T> = Readonly<Record<string, (value: T) => readonly string[]>>;

interface Index<T, E> {
  readonly valuesOf: (value: T) => readonly string[];
  /** Arrays, not sets: an owner has one or two children, for which a set takes three times the memory. */
  readonly buckets: Map<string, E[]>;
}

/** Finds the entries of a store by what the index functions make of their values. */
export class Indexes<T, E extends { readonly value: T }> {
  readonly #indexes: ReadonlyMap<string, Index<T, E>>;

  constructor(functions: IndexFunctions<T>) {
    this.#indexes = new Map(
      Object.entries(functions).map(([name, valuesOf]) => [name, { valuesOf, buckets: new Map() }]),
    );
  }

  /** @throws RangeError when no such index was declared */
  entries(name: string, value: string): readonly E[] {
    const index = this.#indexes.get(name);
    if (!index) throw new RangeError(`no index "${name}" was declared`);
    return index.buckets.get(value) ?? [];
  }

  /** Of each index, in their order. @throws whatever an index function throws */
  valuesOf(value: T): string[][] {
    return [...this.#indexes.values()].map(({ valuesOf }) => [...new Set(valuesOf(value))]);
  }

  /** @param indexed see `valuesOf` */
  add(entry: E, indexed: readonly (readonly string[])[]): void {
    let position = 0;
    for (const { buckets } of this.#indexes.values()) {
      for (const value of indexed[position++] ?? []) {
        const bucket = buckets.get(value);
        if (bucket) bucket.push(entry);
        else buckets.set(value, [entry]);
      }
    }
  }

  /** Must come before the value of the entry changes. */
  remove(entry: E): void {
    for (const { valuesOf, buckets } of this.#indexes.values()) {
      for (const value of new Set(valuesOf(entry.value))) take(buckets, value, entry);
    }
  }
}

function take<E>(buckets: Map<string, E[]>, value: string, entry: E): void {
  const bucket = buckets.get(value);
  const at = bucket?.indexOf(entry) ?? -1;
  if (!bucket || at < 0) return;
  const last = bucket.pop();
  if (bucket.length === 0) buckets.delete(value);
  else if (last !== undefined && at < bucket.length) bucket[at] = last;
}
