import type { RouterMetrics } from "../metrics.ts";
import type { SessionWish } from "../queue/queue-store.ts";
import type { SessionStarter } from "./session-starter.ts";

interface Waking {
  readonly epoch: number;
  /** Monotonic ms. */
  readonly startedAt: number;
  seenAt?: number;
}

/** Measures the phases of wakes that the router sees: from the wish to the starter's yes, the pod's UID, the first lease. */
export class WakeTimes {
  readonly #metrics: Pick<RouterMetrics, "wakePhase">;
  readonly #monotonic: () => number;
  readonly #waking = new Map<string, Waking>();

  constructor(metrics: Pick<RouterMetrics, "wakePhase">, monotonic: () => number) {
    this.#metrics = metrics;
    this.#monotonic = monotonic;
  }

  /** The starter, with a watch on its answers. */
  watch(starter: SessionStarter): SessionStarter {
    return {
      dismiss: (session) => starter.dismiss(session),
      put: async (wish) => {
        const startedAt = this.#monotonic();
        const isNew = this.#begin(wish, startedAt);
        const epoch = await starter.put(wish);
        if (isNew) this.#metrics.wakePhase("said", this.#monotonic() - startedAt);
        return epoch;
      },
    };
  }

  /** The session has a new pod. */
  podSeen(session: string): void {
    const waking = this.#waking.get(session);
    if (!waking || waking.seenAt !== undefined) return;
    waking.seenAt = this.#monotonic();
    this.#metrics.wakePhase("podSeen", waking.seenAt - waking.startedAt);
  }

  /** Rows were leased to the session. One that was awake when the router started has no pod that was seen. */
  leased(session: string): void {
    const waking = this.#waking.get(session);
    if (waking?.seenAt === undefined) return;
    this.#metrics.wakePhase("firstLease", this.#monotonic() - waking.startedAt);
    this.#waking.delete(session);
  }

  #begin({ session, wanted, epoch }: SessionWish, startedAt: number): boolean {
    if (!wanted) this.#waking.delete(session);
    if (!wanted || this.#waking.get(session)?.epoch === epoch) return false;
    this.#waking.set(session, { epoch, startedAt });
    return true;
  }
}
