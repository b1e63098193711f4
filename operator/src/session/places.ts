import { labels } from "@copepod/core/cluster";
import type { Parts } from "../parts.ts";
import { factsOf } from "./facts.ts";
import { startSlotMs } from "./limits.ts";
import type { PodSeen } from "./pod-seen.ts";
import type { RecentWrites } from "./recent.ts";

interface PlacesParts extends Pick<Parts, "settings" | "clock"> {
  readonly caches: Pick<Parts["caches"], "pods" | "nodes">;
}

/**
 * How many pods may start at the same time: so many per node, counted over the cluster, since the scheduler alone knows the
 * node. More at once would only make each of them slower.
 */
export class Places {
  readonly #parts: PlacesParts;
  readonly #recent: Pick<RecentWrites, "unseen">;
  /** Creates whose answer is not there yet. */
  #taken = 0;

  constructor(parts: PlacesParts, recent: Pick<RecentWrites, "unseen">) {
    this.#parts = parts;
    this.#recent = recent;
  }

  /** @returns undefined when there is none; else what the work resolves to */
  async whileTaken<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#starting() >= this.#most()) return undefined;
    this.#taken += 1;
    try {
      return await work();
    } finally {
      this.#taken -= 1;
    }
  }

  #most(): number {
    const { caches, settings } = this.#parts;
    return settings.wakesPerNode * Math.max(1, caches.nodes.size);
  }

  #starting(): number {
    const now = this.#parts.clock.now();
    const seen = [...this.#parts.caches.pods.values()].filter((pod) => isStarting(pod, now));
    return seen.length + this.#recent.unseen + this.#taken;
  }
}

function isStarting(pod: PodSeen, now: number): boolean {
  if (pod.metadata.labels?.[labels.component] !== "session" || pod.deletedAt !== undefined) return false;
  const { isRunning, madeAt, ended, image, delay } = factsOf(pod);
  return !isRunning && !(ended ?? image ?? delay) && now - madeAt < startSlotMs;
}
