import { splitKey } from "@copepod/core/addresses";
import type { Cache, CacheChange } from "@copepod/kube/cache/cache";
import type { ReflectorSettings } from "@copepod/kube/cache/reflector";
import type { KubeClient } from "@copepod/kube/client/client";
import { isAlreadyExists, isConflict, isNotFound } from "@copepod/kube/errors";
import type { KubeObject } from "@copepod/kube/object";
import type { Clock, SessionWish } from "../../queue/queue-store.ts";
import { type SessionSeen, sessionResource, sessionSeenOf, type Wake } from "./session-seen.ts";

/** What a write brought back stands in for the cache until the watch has caught up, but not longer. */
const aheadMs = 5_000;
/** Tries of one write that others come in between of; then the writer backs off. */
const maxTries = 5;

export interface SessionObjectsParts {
  readonly client: Pick<KubeClient, "create" | "get" | "mergePatch">;
  readonly reflectors: { declare(settings: ReflectorSettings<SessionSeen>): Cache<SessionSeen> };
  readonly namespaces: readonly string[];
  readonly clock: Clock;
}

type Listener = (session: string, change: CacheChange<SessionSeen>) => void;

/** The Session objects of the followed namespaces: a cache of them, and the one field that the router writes of their spec. */
export class SessionObjects {
  readonly #client: SessionObjectsParts["client"];
  readonly #clock: Clock;
  readonly #caches: ReadonlyMap<string, Cache<SessionSeen>>;
  readonly #ahead = new Map<string, { readonly seen: SessionSeen; readonly until: number }>();
  readonly #listeners = new Set<Listener>();

  constructor({ client, reflectors, namespaces, clock }: SessionObjectsParts) {
    this.#client = client;
    this.#clock = clock;
    this.#caches = new Map(
      namespaces.map((namespace) => {
        const name = `sessions of ${namespace}`;
        const cache = reflectors.declare({ resource: sessionResource, name, namespace, transform: sessionSeenOf });
        cache.subscribe((session, change) => this.#changed(session, change));
        return [namespace, cache];
      }),
    );
  }

  get(session: string): SessionSeen | undefined {
    const ahead = this.#ahead.get(session);
    if (ahead && ahead.until > this.#clock.monotonic()) return ahead.seen;
    return this.#cacheOf(session)?.get(session);
  }

  *values(): IterableIterator<SessionSeen> {
    for (const cache of this.#caches.values()) for (const seen of cache.values()) yield this.get(seen.session) ?? seen;
  }

  /** All that the watches tell, and so also of what the router has written itself. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @returns the epoch at the API server when that is greater, and so nothing was written; else that of the wish */
  async put(wish: SessionWish): Promise<number> {
    const { session, wanted, epoch } = wish;
    return await this.#persist(session, async (seen) => {
      if (!seen) {
        if (wanted) await this.#write(session, () => this.#client.create(sessionResource, objectOf(wish)));
        return epoch;
      }
      if (seen.wake.epoch > epoch) return seen.wake.epoch;
      await this.#patch(seen, { wanted, epoch });
      return epoch;
    });
  }

  async dismiss(session: string): Promise<void> {
    await this.#persist(session, async (seen) => {
      if (seen) await this.#patch(seen, { ...seen.wake, wanted: false });
    });
  }

  async #patch(seen: SessionSeen, wake: Wake): Promise<void> {
    if (isSame(seen.wake, wake)) return;
    const target = { ...splitKey(seen.session), uid: seen.uid, resourceVersion: seen.resourceVersion };
    await this.#write(seen.session, () => this.#client.mergePatch(sessionResource, target, { spec: { wake } }));
  }

  async #write(session: string, write: () => Promise<KubeObject>): Promise<void> {
    const seen = sessionSeenOf(await write());
    const known = this.#cacheOf(session)?.get(session);
    // The watch was faster, and may know more by now.
    if (known && hasReached(known, seen) && known.uid === seen.uid) return;
    this.#ahead.set(session, { seen, until: this.#clock.monotonic() + aheadMs });
  }

  /** What is written is decided on what is known, and anew on what there is when somebody else was faster. */
  async #persist<T>(session: string, attempt: (seen: SessionSeen | undefined) => Promise<T>): Promise<T> {
    let seen = this.get(session);
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(seen);
      } catch (error) {
        const isLate = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
        if (!isLate || tries >= maxTries) throw error;
        seen = await this.#read(session);
      }
    }
  }

  async #read(session: string): Promise<SessionSeen | undefined> {
    this.#ahead.delete(session);
    try {
      return sessionSeenOf(await this.#client.get(sessionResource, splitKey(session)));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #cacheOf(session: string): Cache<SessionSeen> | undefined {
    return this.#caches.get(splitKey(session).namespace);
  }

  #changed(session: string, change: CacheChange<SessionSeen>): void {
    const ahead = this.#ahead.get(session);
    if (ahead && (hasReached(change.after, ahead.seen) || ahead.until <= this.#clock.monotonic())) {
      this.#ahead.delete(session);
    }
    for (const listener of this.#listeners) listener(session, change);
  }
}

/** Versions have no order, but a write changed the wish: what is older than it has another one. */
const hasReached = (after: SessionSeen | undefined, { uid, wake }: SessionSeen): boolean =>
  after?.uid !== uid || isSame(after.wake, wake);

const isSame = (a: Wake, b: Wake): boolean => a.wanted === b.wanted && a.epoch === b.epoch;

function objectOf({ session, group, key, wanted, epoch }: SessionWish): KubeObject {
  const { kind, conversation, thread } = key;
  const keyOfSpec = {
    kind,
    ...(conversation !== undefined && { conversation }),
    ...(thread !== undefined && { thread }),
  };
  return {
    metadata: splitKey(session),
    spec: { group: splitKey(group).name, key: keyOfSpec, wake: { wanted, epoch } },
  };
}
