import { isDeepStrictEqual } from "node:util";
import { splitKey } from "@copepod/core/addresses";
import type { Problem } from "@copepod/core/admin-api";
import type { Resource } from "@copepod/crds/kinds";
import { pathText, type ResourceIssue } from "@copepod/crds/parse";
import type { Seen } from "./seen.ts";

type OfKind<K extends Resource["kind"]> = Extract<Resource, { readonly kind: K }>;

interface Counting<R> {
  readonly uid: string | undefined;
  readonly resource: R;
}

/** What counts of one kind, by `<namespace>/<name>`: of an object that has become bad, its last good state. */
export class KindState<K extends Resource["kind"]> {
  readonly kind: K;
  readonly #counting = new Map<string, Counting<OfKind<K>>>();
  readonly #problems = new Map<string, Problem>();
  #snapshot: ReadonlyMap<string, OfKind<K>> | undefined;

  constructor(kind: K) {
    this.kind = kind;
  }

  /** @param seen undefined when the object is gone @returns whether `snapshot` or `problems` have changed */
  take(key: string, seen: Seen | undefined): boolean {
    if (!seen?.parsed) return this.#remove(key);
    if (!seen.parsed.ok) return this.#refuse(key, seen, seen.parsed.issues);
    const { resource } = seen.parsed;
    if (!this.#isOwn(resource)) return false;
    const wasBad = this.#problems.delete(key);
    const known = this.#counting.get(key);
    // A status changes far more often than what people decide, and is nothing that counts here.
    const isSame = isDeepStrictEqual(known?.resource, resource);
    this.#counting.set(key, { uid: seen.uid, resource: known && isSame ? known.resource : resource });
    if (!isSame) this.#snapshot = undefined;
    return wasBad || !isSame;
  }

  /** The same map until something in it changes. */
  snapshot(): ReadonlyMap<string, OfKind<K>> {
    this.#snapshot ??= new Map([...this.#counting].map(([key, { resource }]) => [key, resource]));
    return this.#snapshot;
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  #isOwn(resource: Resource): resource is OfKind<K> {
    return resource.kind === this.kind;
  }

  #remove(key: string): boolean {
    const wasBad = this.#problems.delete(key);
    const didCount = this.#counting.delete(key);
    if (didCount) this.#snapshot = undefined;
    return wasBad || didCount;
  }

  #refuse(key: string, { uid }: Seen, [issue]: readonly ResourceIssue[]): boolean {
    // Another object under the old name has no state that was ever good.
    const isOther = this.#counting.get(key)?.uid !== uid;
    const didCount = isOther && this.#counting.delete(key);
    if (didCount) this.#snapshot = undefined;
    const path = pathText(issue?.path ?? []);
    const reason = issue?.reason ?? "the resource is not valid";
    const { namespace } = splitKey(key);
    const problem = { file: `${this.kind} ${key}`, namespace, ...(path && { path }), reason };
    const isNews = !isDeepStrictEqual(this.#problems.get(key), problem);
    this.#problems.set(key, problem);
    return didCount || isNews;
  }
}
