/** By name of the index: the values under which an object is found. Pure, and called again when the object leaves. */
export type IndexFunctions<T> = Readonly<Record<string, (value: T) => readonly string[]>>;

interface Index<T, E> {
  readonly valuesOf: (value: T) => readonly string[];
  readonly buckets: Map<string, Bucket<E>>;
}

/** An owner has one or two children, for which a set takes three times the memory. Of thousands an array finds none fast. */
type Bucket<E> = E[] | Set<E>;
const largestArray = 64;

/** Finds the entries of a store by what the index functions make of their values. */
export class Indexes<T, E extends { readonly value: T }> {
  readonly #indexes: ReadonlyMap<string, Index<T, E>>;

  constructor(functions: IndexFunctions<T>) {
    this.#indexes = new Map(
      Object.entries(functions).map(([name, valuesOf]) => [name, { valuesOf, buckets: new Map() }]),
    );
  }

  /** @throws RangeError when no such index was declared */
  entries(name: string, value: string): Iterable<E> {
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
        put(buckets, value, entry);
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

function put<E>(buckets: Map<string, Bucket<E>>, value: string, entry: E): void {
  const bucket = buckets.get(value);
  if (!bucket) buckets.set(value, [entry]);
  else if (bucket instanceof Set) bucket.add(entry);
  else if (bucket.length < largestArray) bucket.push(entry);
  else buckets.set(value, new Set(bucket).add(entry));
}

function take<E>(buckets: Map<string, Bucket<E>>, value: string, entry: E): void {
  const bucket = buckets.get(value);
  if (bucket instanceof Set) bucket.delete(entry);
  else if (bucket?.includes(entry)) bucket.splice(bucket.indexOf(entry), 1);
  if (bucket && (bucket instanceof Set ? bucket.size : bucket.length) === 0) buckets.delete(value);
}
