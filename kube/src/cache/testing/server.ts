import { CopepodError } from "@copepod/core/errors";
import type { KubeClient, ListOptions, Page, WatchEvent, WatchOptions } from "../../client/client.ts";
import { ApiError } from "../../errors.ts";
import type { KubeObject, Resource } from "../../object.ts";

interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** How a watch is made to end: in good order, or with an error. */
type Ending = { readonly error?: unknown };

export const widgets: Resource = {
  group: "example.com",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: true,
};

export const expired = (): ApiError => new ApiError("too old", { status: 410, reason: "Expired", causes: [] });
export const unavailable = (): ApiError => new ApiError("not now", { status: 503, reason: "", causes: [] });
export const silent = (): CopepodError => new CopepodError("clusterUnavailable", "list widgets: no answer");
export const refused = (): Error =>
  new Error("list widgets: no connection", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) });

/**
 * The part of an API server that reflectors use, in process: versions, pages of one snapshot, a history that can be compacted.
 * What it does not do: selectors, bookmarks unless asked for, and everything that can only go wrong on a wire.
 */
export class TestServer implements Pick<KubeClient, "list" | "watch"> {
  readonly pageSize = 2;
  /** Errors of the next calls, in their order. */
  readonly failures: unknown[] = [];
  /** Of each watch that was asked for. */
  readonly watchOptions: WatchOptions[] = [];
  lists = 0;
  openWatches = 0;
  /** Called before a page is handed out, with its number in the list. */
  onPage: (page: number) => void = () => undefined;
  readonly #objects = new Map<string, KubeObject>();
  readonly #history: Change[] = [];
  readonly #watchers = new Set<() => void>();
  #version = 0;
  #compactedTo = 0;
  #bookmarked = 0;
  readonly #endings = new WeakMap<object, Ending>();
  readonly #open = new Set<object>();

  get watches(): number {
    return this.watchOptions.length;
  }

  get version(): string {
    return String(this.#version);
  }

  /** As a list gives them. */
  objects(): ReadonlyMap<string, KubeObject> {
    return new Map([...this.#objects].map(([name, object]) => [`default/${name}`, object]));
  }

  put(name: string, fields: Partial<KubeObject> = {}): void {
    this.#version += 1;
    const type = this.#objects.has(name) ? "MODIFIED" : "ADDED";
    const metadata = { namespace: "default", name, ...fields.metadata, resourceVersion: this.version };
    const object = { ...fields, metadata };
    this.#objects.set(name, object);
    this.#happened(type, object);
  }

  remove(name: string): void {
    const object = this.#objects.get(name);
    if (!object) return;
    this.#version += 1;
    this.#objects.delete(name);
    this.#happened("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: this.version } });
  }

  /** Something else was written: the version goes on, and nobody hears of it. */
  writeElsewhere(): void {
    this.#version += 1;
  }

  bookmark(): void {
    this.#bookmarked = this.#version;
    this.#wake();
  }

  /** Forgets the history: whoever is behind has to list anew. */
  compact(): void {
    this.#compactedTo = this.#version;
  }

  /** Ends the open watches now: what has just happened does not reach them any more. */
  endWatches(ending: Ending = {}): void {
    for (const watch of this.#open) this.#endings.set(watch, ending);
    this.#wake();
  }

  async *list(_resource: Resource, { signal }: ListOptions = {}): AsyncGenerator<Page> {
    this.lists += 1;
    const resourceVersion = this.version;
    const snapshot = [...this.#objects.values()];
    for (let from = 0; from === 0 || from < snapshot.length; from += this.pageSize) {
      await this.#answer(signal);
      this.onPage(from / this.pageSize);
      // As if parsed from an answer: nobody shares an object with the server.
      const items = structuredClone(snapshot.slice(from, from + this.pageSize));
      const isLast = from + this.pageSize >= snapshot.length;
      yield { items, resourceVersion, ...(!isLast && { continueToken: String(from) }) };
    }
  }

  async *watch(_resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    const { signal, resourceVersion, opened } = options;
    this.watchOptions.push(options);
    await this.#answer(signal);
    opened?.();
    this.openWatches += 1;
    const watch = {};
    this.#open.add(watch);
    try {
      yield* this.#follow(watch, Number(resourceVersion), signal);
    } finally {
      this.#open.delete(watch);
      this.openWatches -= 1;
    }
  }

  async *#follow(watch: object, resourceVersion: number, signal?: AbortSignal): AsyncGenerator<WatchEvent> {
    if (resourceVersion < this.#compactedTo) throw expired();
    let seen = resourceVersion;
    while (!this.#isEnded(watch)) {
      const next = this.#after(seen);
      // Events that came in one piece are handed out also after an abort.
      if (next) yield next.event;
      else await this.#news(signal);
      seen = next?.version ?? seen;
    }
  }

  #isEnded(watch: object): boolean {
    const ending = this.#endings.get(watch);
    if (ending && "error" in ending) throw ending.error;
    return ending !== undefined;
  }

  #after(seen: number): { readonly version: number; readonly event: WatchEvent } | undefined {
    const next = this.#history.find(({ version }) => version > seen);
    if (next) return { version: next.version, event: { type: next.type, object: structuredClone(next.object) } };
    if (this.#bookmarked <= seen) return undefined;
    const version = this.#bookmarked;
    return { version, event: { type: "BOOKMARK", resourceVersion: String(version) } };
  }

  async #answer(signal: AbortSignal | undefined): Promise<void> {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    if (this.failures.length > 0) throw this.failures.shift();
  }

  async #news(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    signal?.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#watchers.delete(resolve);
    signal?.throwIfAborted();
  }

  #happened(type: Change["type"], object: KubeObject): void {
    this.#history.push({ version: this.#version, type, object });
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }
}
