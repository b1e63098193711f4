import type { Session } from "@copepod/crds/session";
import type { Clock } from "@copepod/kube/clock";
import { type HasMetadata, keyOf } from "@copepod/kube/object";
import type { Seen } from "../seen.ts";
import type { PodSeen } from "./pod-seen.ts";

/** What a cache has not shown after this time may be gone already: then the API server is asked. */
export const expectMs = 5_000;

interface Written {
  readonly session: Seen<Session>;
  /** The version that was written over: while the cache shows it, it is behind. */
  readonly over: string | undefined;
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
  /** Versions of pods that were asked to end, by UID. */
  readonly #ended = new Map<string, string | undefined>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wrote(read: Seen<Session>, session: Seen<Session>): void {
    this.#written.set(keyOfObject(read), { session, over: read.metadata.resourceVersion });
  }

  made(session: string, pod: PodSeen): void {
    this.#made.set(session, { pod, at: this.#clock.monotonic() });
  }

  ended({ metadata: { uid = "", resourceVersion } }: PodSeen): void {
    this.#ended.set(uid, resourceVersion);
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

  /** To be called for pods that changed or are gone. */
  forgetPod({ metadata: { uid = "" } }: HasMetadata, session: string | undefined): void {
    this.#ended.delete(uid);
    if (session !== undefined && this.#made.get(session)?.pod.metadata.uid === uid) this.#made.delete(session);
  }

  forgetSession(key: string): void {
    this.#written.delete(key);
    this.#made.delete(key);
  }

  #isEnding({ metadata: { uid = "", resourceVersion }, deletedAt }: PodSeen): boolean {
    return deletedAt === undefined && this.#ended.has(uid) && this.#ended.get(uid) === resourceVersion;
  }
}

const keyOfObject = ({ metadata: { namespace, name = "" } }: HasMetadata): string => keyOf({ namespace, name });
