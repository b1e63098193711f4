import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import type { Activities } from "./activities.ts";
import type { PodReport, StarterListener } from "./session-starter.ts";
import type { WakeTimes } from "./wake-times.ts";
import type { WishWriter } from "./wish-writer.ts";

export interface PodsDeps {
  readonly store: QueueStore;
  readonly wishes: Pick<WishWriter, "poke">;
  readonly announcer: Announcer;
  readonly activities: Activities;
  readonly metrics: RouterMetrics;
  readonly times: WakeTimes;
  readonly log: Logger;
  /** Says the channels that need an adapter host again. */
  readonly sayChannels: () => void;
  readonly sayPauses: () => void;
}

/** Brings what the starter says it runs into the queue: new pod UIDs, failed starts, pods that nobody wants. */
export function createPodsListener(deps: PodsDeps): StarterListener {
  const troubles = new Map<string, string>();
  const sayWishes = async () => {
    for (const wish of await deps.store.wishes()) deps.wishes.poke(wish.session);
  };
  return {
    connected: () => {
      deps.sayChannels();
      sayWishes().catch((err: unknown) => deps.log.error({ err }, "could not read what sessions are wanted"));
    },
    pods: async (pods) => {
      for (const pod of pods) await observe(pod, troubles, deps);
    },
    forgot: (session) => {
      troubles.delete(session);
      deps.wishes.poke(session);
    },
    suspensionsChanged: deps.sayPauses,
  };
}

/** @param troubles what was last brought in of what keeps a session from starting, by session */
async function observe(pod: PodReport, troubles: Map<string, string>, deps: PodsDeps): Promise<void> {
  const { store, wishes } = deps;
  const { session, epoch } = pod;
  const wish = await store.wish(session);
  if (!wish?.wanted || wish.epoch > epoch) wishes.poke(session);
  if (!wish) return;
  if (pod.phase !== "Failed") await observeUid(pod, deps);
  if (!isTrouble(pod)) troubles.delete(session);
  else if (wish.wanted && wish.epoch === epoch) await bringTrouble(pod, troubles, deps);
  if (pod.drainRequested) await drain(pod, deps);
}

const isTrouble = ({ phase, reason }: PodReport): boolean =>
  phase === "Failed" || (phase === "Starting" && reason !== undefined);

async function observeUid({ session, epoch, podUid }: PodReport, deps: PodsDeps): Promise<void> {
  if (podUid === undefined || !(await deps.store.observePod({ session, epoch, podUid }))) return;
  deps.times.podSeen(session);
  deps.announcer.sessionChanged(session);
}

async function drain({ session, epoch }: PodReport, deps: PodsDeps): Promise<void> {
  if (!(await deps.store.requestDrain(session, epoch))) return;
  deps.announcer.sessionChanged(session);
  await replaceDrained(deps);
}

async function bringTrouble(pod: PodReport, troubles: Map<string, string>, deps: PodsDeps): Promise<void> {
  const { store, wishes, announcer, metrics, log } = deps;
  const { session, epoch, phase, podUid, reason = "the session's process ended" } = pod;
  const trouble = [phase, epoch, podUid, reason].join(" ");
  if (troubles.get(session) === trouble) return;
  log.warn({ session, epoch, reason }, phase === "Failed" ? "session could not be started" : "session can't start yet");
  if (phase === "Failed") {
    metrics.wake("startFailed");
    announcer.written(await store.startFailed(session, epoch, reason));
    deps.activities.ended(session);
    wishes.poke(session);
    // It is not wanted any more: what is told of it again is not looked at.
    troubles.delete(session);
  } else {
    announcer.written(await store.hindered(session, epoch, reason));
    // Only now: a report that could not be written is made again with the next look.
    troubles.set(session, trouble);
  }
  announcer.sessionChanged(session);
}

/** Ends pods that are to be drained and whose turn is over. */
export async function replaceDrained({
  store,
  wishes,
  announcer,
}: Pick<PodsDeps, "store" | "wishes" | "announcer">): Promise<void> {
  const { sessions, ...written } = await store.replaceDrained();
  announcer.written(written);
  for (const session of sessions) {
    wishes.poke(session);
    announcer.sessionChanged(session);
  }
}
