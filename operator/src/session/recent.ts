import type { Session } from "@copepod/crds/session";
import type { Clock } from "@copepod/kube/clock";
import { type HasMetadata, keyOf } from "@copepod/kube/object";
import type { Seen } from "../seen.ts";
import { behindMs, expectMs } from "./limits.ts";
import type { PodSeen } from "./pod-seen.ts";

interface Written {
  readonly session: Seen<Session>;
  /** The version that was written over: while the cache shows it, it is behind. */
  readonly over: string | undefined;
  /** Monotonic ms. */
  readonly at: number;
}

interface Made {
  readonly pod: PodSeen;
  /** Monotonic ms. */
  readonly at: number;
}

/**
 * What this leader has written a moment ago, for as long as the caches do not show it. So nothing is written twice, and no pod
 * is made beside one that the cache does not show yet. A new leader needs none of it: its caches began after those writes.
 */
export class RecentWrites {
  readonly #clock: Clock;
  readonly #written = new Map<string, Written>();
  /** By key of the Session. */
  readonly #made = new Map<string, Made>();
  /** By UID of the pod: its version as it was asked to end, and when, in monotonic ms. */
  readonly #ended = new Map<string, { readonly version: string; readonly at: number }>();
  /** When pods were first seen, in monotonic ms, by UID. */
  readonly #seenAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wrote(read: Seen<Session>, session: Seen<Session>): void {
    const at = this.#clock.monotonic();
    this.#written.set(keyOfObject(read), { session, over: read.metadata.resourceVersion, at });
    dropBefore(this.#written, at - behindMs);
  }

  made(session: string, pod: PodSeen): void {
    this.#made.set(session, { pod, at: this.#clock.monotonic() });
  }

  ended({ metadata: { uid = "", resourceVersion } }: PodSeen): void {
    const at = this.#clock.monotonic();
    this.#ended.set(uid, { version: resourceVersion ?? "", at });
    dropBefore(this.#ended, at - behindMs);
  }

  /** In ms, since this process saw the pod for the first time. */
  ageOf({ metadata: { uid = "" } }: PodSeen): number {
    const now = this.#clock.monotonic();
    const since = this.#seenAt.get(uid) ?? now;
    this.#seenAt.set(uid, since);
    return now - since;
  }

  /** The Session as it is, as far as this leader knows. @param cached as the cache has it */
  latest(cached: Seen<Session>): Seen<Session> {
    const key = keyOfObject(cached);
    const written = this.#written.get(key);
    if (!written) return cached;
    if (written.over === cached.metadata.resourceVersion) return written.session;
    this.#written.delete(key);
    return cached;
  }

  /** The pods of a Session. @param cached as the cache has them */
  pods(session: string, cached: readonly PodSeen[]): readonly PodSeen[] {
    const made = this.#made.get(session)?.pod;
    const isShown = cached.some(({ metadata }) => metadata.uid === made?.metadata.uid);
    if (isShown) this.#made.delete(session);
    const all = made && !isShown ? [...cached, made] : cached;
    return all.map((pod) => (this.#isEnding(pod) ? { ...pod, deletedAt: this.#clock.now() } : pod));
  }

  /** A pod of the Session that the cache should have shown by now. */
  overdue(session: string): PodSeen | undefined {
    const made = this.#made.get(session);
    return made && this.#clock.monotonic() - made.at > expectMs ? made.pod : undefined;
  }

  /** Whether a pod of the Session is not shown yet. */
  awaits(session: string): boolean {
    return this.#made.has(session);
  }

  /** Pods that no cache shows yet. */
  get unseen(): number {
    const since = this.#clock.monotonic() - expectMs;
    return [...this.#made.values()].filter(({ at }) => at >= since).length;
  }

  /** To be called for pods that are gone, after `podChanged`. */
  podGone({ metadata: { uid = "" } }: HasMetadata): void {
    this.#seenAt.delete(uid);
  }

  /** To be called for pods that changed or are gone. */
  podChanged({ metadata: { uid = "" } }: HasMetadata, session: string | undefined): void {
    this.#ended.delete(uid);
    if (session !== undefined && this.#made.get(session)?.pod.metadata.uid === uid) this.#made.delete(session);
  }

  forgetSession(key: string): void {
    this.#written.delete(key);
    this.#made.delete(key);
  }

  #isEnding({ metadata: { uid = "", resourceVersion }, deletedAt }: PodSeen): boolean {
    return deletedAt === undefined && this.#ended.get(uid)?.version === (resourceVersion ?? "");
  }
}

/** The answer of a write may come after the watch told of the end of its object: then nothing else removes it. */
function dropBefore(entries: Map<string, { readonly at: number }>, time: number): void {
  for (const [key, { at }] of entries) if (at < time) entries.delete(key);
}

const keyOfObject = ({ metadata: { namespace, name = "" } }: HasMetadata): string => keyOf({ namespace, name });
