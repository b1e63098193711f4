import type { Pod } from "@copepod/core/supervisor-api";
import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import type { Activities } from "./activities.ts";
import type { SupervisorListener } from "./supervisor-link.ts";
import type { WishWriter } from "./wish-writer.ts";

export interface PodsDeps {
  readonly store: QueueStore;
  readonly wishes: WishWriter;
  readonly announcer: Announcer;
  readonly activities: Activities;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  /** Says the channels that need an adapter host again. */
  readonly sayChannels: () => void;
}

/** Brings what the starter says it runs into the queue: new pod UIDs, failed starts, pods that nobody wants. */
export function createPodsListener(deps: PodsDeps): SupervisorListener {
  const failedUids = new Set<string>();
  const sayWishes = async () => {
    for (const wish of await deps.store.wishes()) deps.wishes.poke(wish.session);
  };
  return {
    connected: () => {
      deps.sayChannels();
      sayWishes().catch((err: unknown) => deps.log.error({ err }, "could not read what sessions are wanted"));
    },
    pods: async (pods) => {
      forgetGone(failedUids, pods);
      for (const pod of pods) await observe(pod, failedUids, deps);
    },
  };
}

async function observe(pod: Pod, failedUids: Set<string>, deps: PodsDeps): Promise<void> {
  const { store, wishes, announcer, metrics, log } = deps;
  const wish = await store.wish(pod.session);
  if (!wish?.wanted || wish.epoch > pod.epoch) wishes.poke(pod.session);
  if (pod.phase === "Failed") {
    if (failedUids.has(pod.podUid)) return;
    const reason = pod.reason ?? "the session's process ended";
    log.warn({ session: pod.session, epoch: pod.epoch, reason }, "session could not be started");
    metrics.wake("startFailed");
    announcer.written(await store.startFailed(pod.session, pod.epoch, reason));
    // Only now: a report that could not be written is made again with the next look.
    failedUids.add(pod.podUid);
    deps.activities.ended(pod.session);
    wishes.poke(pod.session);
    return;
  }
  const changed = await store.observePod({ session: pod.session, epoch: pod.epoch, podUid: pod.podUid });
  if (changed) announcer.sessionChanged(pod.session);
}

function forgetGone(failedUids: Set<string>, pods: readonly Pod[]): void {
  const present = new Set(pods.map((pod) => pod.podUid));
  for (const uid of failedUids) if (!present.has(uid)) failedUids.delete(uid);
}
