/** What a program keeps of the objects of one kind: the reflector writes it, everybody else only reads. */
export interface Cache<T> {
  /** Whether the first list is in; before that nothing may be decided. */
  readonly synced: boolean;
  /** Resolves once `synced`. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  readonly size: number;
  /** @param key see `keyOf` */
  get(key: string): T | undefined;
  values(): IterableIterator<T>;
  /** Objects for which the index function gave this value. @throws when no such index was declared */
  byIndex(index: string, value: string): readonly T[];
  /** Called with the key after each change, deletions included; what it throws is logged and counted, never passed on. */
  subscribe(listener: (key: string, change: CacheChange<T>) => void): () => void;
}

export interface CacheChange<T> {
  /** Undefined for a new object. */
  readonly before: T | undefined;
  /** Undefined for a deleted object. */
  readonly after: T | undefined;
}
