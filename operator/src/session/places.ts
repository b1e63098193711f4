import { labels } from "@copepod/core/cluster";
import type { Parts } from "../parts.ts";
import { factsOf } from "./facts.ts";
import { startSlotMs } from "./limits.ts";
import type { PodSeen } from "./pod-seen.ts";
import type { RecentWrites } from "./recent.ts";

interface PlacesParts extends Pick<Parts, "settings"> {
  readonly caches: Pick<Parts["caches"], "pods" | "nodes">;
  readonly recent: Pick<RecentWrites, "unseen" | "ageOf">;
  /** Has a session that waits for a place looked at again. */
  readonly call: (session: string) => void;
}

/**
 * How many pods may start at the same time: so many per node, counted over the cluster, since the scheduler alone knows the
 * node. More at once would only make each of them slower. Who comes first is served first.
 */
export class Places {
  readonly #parts: PlacesParts;
  /** Keys of sessions, in the order of their coming. */
  readonly #line = new Set<string>();
  /** Those of sessions that are being looked at. */
  #taken = 0;

  constructor(parts: PlacesParts) {
    this.#parts = parts;
  }

  /** @returns false: it is in line, and called when its turn comes. After true, `give` has to follow */
  take(session: string): boolean {
    const line = [...this.#line.add(session)];
    if (line.indexOf(session) >= this.#free()) return false;
    this.#line.delete(session);
    this.#taken += 1;
    return true;
  }

  /** The pod is made, and counts by itself now, or is not. */
  give(): void {
    this.#taken -= 1;
    this.callNext();
  }

  /** For a session that needs no place any more. */
  leave(session: string): void {
    if (this.#line.delete(session)) this.callNext();
  }

  /** To be called when pods have changed. */
  callNext(): void {
    if (this.#line.size > 0) [...this.#line].slice(0, this.#free()).forEach(this.#parts.call);
  }

  #free(): number {
    const { caches, settings, recent } = this.#parts;
    const starting = [...caches.pods.values()].filter((pod) => this.#isStarting(pod)).length;
    const most = settings.wakesPerNode * Math.max(1, caches.nodes.size);
    return Math.max(0, most - starting - recent.unseen - this.#taken);
  }

  #isStarting(pod: PodSeen): boolean {
    if (pod.metadata.labels?.[labels.component] !== "session" || pod.deletedAt !== undefined) return false;
    const { isRunning, ended, image, delay } = factsOf(pod);
    return !isRunning && !(ended ?? image ?? delay) && this.#parts.recent.ageOf(pod) < startSlotMs;
  }
}
