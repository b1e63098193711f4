import { podGraceMs, startingReason } from "@copepod/core/cluster";
import type { PodNow, Trouble } from "./facts.ts";
import { behindMs, imageDeadlineMs, nodeLostMs, slowEndMs, soonMs, startDeadlineMs, waitMs } from "./limits.ts";
import type { OwnStatus, StatusRead } from "./status.ts";

/** Whether a pod could be made now, and from what. */
export type Outlook =
  | { readonly kind: "possible"; readonly template: string; readonly rules: string }
  /** What it needs comes in a moment, which nobody has to be told of. */
  | { readonly kind: "soon" }
  | ({ readonly kind: "later" } & Trouble)
  | ({ readonly kind: "refused" } & Trouble);

export interface Situation {
  /** UTC ms. */
  readonly now: number;
  readonly wake: { readonly wanted: boolean; readonly epoch: number };
  /** A sentence when people have suspended the session or its group. */
  readonly suspended: string | undefined;
  readonly status: StatusRead;
  /** Those that the Session owns. */
  readonly pods: readonly PodNow[];
  readonly outlook: Outlook;
  /** Whether pods on lost nodes are given up. */
  readonly forceLost: boolean;
}

export type Act =
  | { readonly kind: "create" }
  /** `atOnce`: without asking its node. */
  | { readonly kind: "end"; readonly uid: string; readonly atOnce: boolean }
  /** Have the kubelet bring the pod's files up to date. */
  | { readonly kind: "refresh"; readonly uid: string; readonly rules: string };

export interface Decision {
  readonly acts: readonly Act[];
  /** Undefined: it stays as it is. */
  readonly status?: OwnStatus;
  readonly lookAgainInMs?: number;
  /** Worth an Event, although the status does not say it. */
  readonly happened?: Trouble;
}

const nothing: Decision = { acts: [] };

/** What brings a session closer to what is wanted of it. Pure. */
export function decide(situation: Situation): Decision {
  const { pods, wake } = situation;
  const [pod, ...others] = pods;
  if (others.length > 0) return endAll(situation);
  // Epochs only grow: the cache of Sessions is behind that of pods, as it can be for a new leader.
  if (isNewer(situation, pod)) return { acts: [], lookAgainInMs: waitMs };
  if (!pod) return isWanted(situation) ? start(situation) : rest(situation);
  const stays = isWanted(situation) && pod.deletedAt === undefined && pod.epoch === wake.epoch;
  return stays ? keep(situation, pod) : end(situation, pod);
}

/** Whether a pod is to be made, if it can. Known without an outlook, which is dear. */
export const needsPod = (situation: Omit<Situation, "outlook">): boolean =>
  situation.pods.length === 0 && isWanted(situation);

const isWanted = (situation: Omit<Situation, "outlook">): boolean =>
  situation.wake.wanted && situation.suspended === undefined && !hasFailed(situation);

/** The status of a pod that was made just now. */
export const waking = (epoch: number, pod: { readonly name: string; readonly uid: string }): OwnStatus => ({
  phase: "Waking",
  epoch,
  podName: pod.name,
  podUid: pod.uid,
  drainRequested: undefined,
  ready: { isTrue: false, reason: startingReason, message: "The pod starts." },
});

/** The status of an epoch that is not tried again. */
export const failed = (epoch: number, { reason, message }: Trouble): OwnStatus => ({
  ...withoutPod,
  phase: "Failed",
  epoch,
  ready: { isTrue: false, reason, message },
});

const withoutPod = { podName: undefined, podUid: undefined, drainRequested: undefined } as const;

const hasFailed = ({ status, wake }: Pick<Situation, "status" | "wake">): boolean =>
  status.phase === "Failed" && status.epoch === wake.epoch;

const isNewer = ({ wake }: Situation, pod: PodNow | undefined): boolean =>
  pod?.epoch !== undefined && pod.epoch > wake.epoch && pod.ageMs < behindMs;

/** Which of them may take rows can't be known: none goes on. */
function endAll(situation: Situation): Decision {
  const { pods, wake } = situation;
  const message = "The session has two pods; both are ended, and nothing runs until they are gone.";
  return {
    acts: pods.flatMap((pod) => {
      const isGivenUp = situation.forceLost && lostFor(situation, pod).isLost;
      return isGivenUp || pod.deletedAt === undefined ? [{ ...endOf(pod), atOnce: isGivenUp }] : [];
    }),
    lookAgainInMs: nodeLostMs,
    ...(hasFailed(situation)
      ? {}
      : {
          status: {
            ...withoutPod,
            phase: "Draining",
            epoch: wake.epoch,
            ready: { isTrue: false, reason: "MultiplePods", message },
          },
        }),
  };
}

function rest(situation: Situation): Decision {
  const { suspended, status } = situation;
  if (suspended === undefined && hasFailed(situation)) return nothing;
  const ready =
    suspended === undefined
      ? { reason: "Asleep", message: "Nothing waits for the session." }
      : { reason: "Suspended", message: suspended };
  return {
    acts: [],
    status: { ...withoutPod, phase: "Asleep", epoch: status.epoch, ready: { isTrue: false, ...ready } },
  };
}

function end(situation: Situation, pod: PodNow): Decision {
  const { now, forceLost } = situation;
  const lost = lostFor(situation, pod);
  if (pod.deletedAt === undefined) return { acts: [endOf(pod)], lookAgainInMs: slowEndMs };
  if (lost.isLost && forceLost) return { acts: [{ ...endOf(pod), atOnce: true }] };
  const lastsMs = now - pod.deletedAt;
  if (lastsMs < slowEndMs) return { acts: [], lookAgainInMs: Math.min(slowEndMs, slowEndMs - lastsMs) };
  if (hasFailed(situation)) return { acts: [], ...lost.lookAgain };
  const ready = lost.isLost
    ? podLost(situation)
    : { reason: "Draining", message: `The pod ends what it does, within ${podGraceMs / 1_000} seconds.` };
  return {
    acts: [],
    status: {
      phase: "Draining",
      epoch: pod.epoch,
      podName: pod.name,
      podUid: pod.uid,
      drainRequested: undefined,
      ready: { isTrue: false, ...ready },
    },
    ...lost.lookAgain,
  };
}

const endOf = ({ uid }: PodNow): Act & { readonly kind: "end" } => ({ kind: "end", uid, atOnce: false });

function start({ outlook, wake }: Situation): Decision {
  switch (outlook.kind) {
    case "possible":
      return { acts: [{ kind: "create" }] };
    case "soon":
      return { acts: [], lookAgainInMs: soonMs };
    case "later": {
      const ready = { isTrue: false, reason: outlook.reason, message: outlook.message };
      return {
        acts: [],
        status: { ...withoutPod, phase: "Waking", epoch: wake.epoch, ready },
        lookAgainInMs: waitMs,
      };
    }
    case "refused":
      return { acts: [], status: failed(wake.epoch, outlook) };
  }
}

function keep(situation: Situation, pod: PodNow): Decision {
  const wasAwake = situation.status.phase === "Awake" && situation.status.podUid === pod.uid;
  // What ran is made anew; what never did is the router's to try again, with its back-off.
  if (pod.ended && wasAwake) return { acts: [endOf(pod)], happened: pod.ended };
  const fatal = pod.ended ?? pod.crashes ?? groupMissing(situation);
  if (fatal) return giveUp(situation, pod, fatal);
  const lost = lostFor(situation, pod);
  if (lost.isLost) return keepLost(situation, pod, wasAwake);
  const decision = pod.isReady || wasAwake ? keepAwake(situation, pod) : keepWaking(situation, pod);
  return { ...decision, ...lost.lookAgain };
}

/** What else keeps a new pod from being made does not end one that runs. */
const groupMissing = ({ outlook }: Situation): Trouble | undefined =>
  outlook.kind === "refused" && outlook.reason === "GroupMissing" ? outlook : undefined;

const giveUp = ({ wake }: Situation, pod: PodNow, trouble: Trouble): Decision => ({
  acts: [endOf(pod)],
  status: failed(wake.epoch, trouble),
});

/** One that was awake stays so: when its node is back, no deadline of a start holds for it. */
function keepLost(situation: Situation, pod: PodNow, wasAwake: boolean): Decision {
  const published = waking(situation.wake.epoch, pod);
  const phase = wasAwake ? "Awake" : published.phase;
  const status = { ...published, phase, ready: { isTrue: false, ...podLost(situation) } };
  return { acts: situation.forceLost ? [{ ...endOf(pod), atOnce: true }] : [], status };
}

const podLost = ({ forceLost }: Situation): Trouble => ({
  reason: "PodLost",
  message: forceLost
    ? "The node of the pod is not heard of; the pod is given up and made anew elsewhere."
    : "The node of the pod is not heard of. The session waits until it is back, or until somebody removes the node.",
});

function keepAwake({ wake, outlook, status }: Situation, pod: PodNow): Decision {
  const isOld = outlook.kind === "possible" && pod.template !== outlook.template;
  const reason = "The settings of the agent group have changed since the pod was made.";
  const known = outlook.kind === "possible" ? undefined : status.drainRequested;
  return {
    acts:
      outlook.kind === "possible" && pod.rules !== outlook.rules
        ? [{ kind: "refresh", uid: pod.uid, rules: outlook.rules }]
        : [],
    status: {
      ...waking(wake.epoch, pod),
      phase: "Awake",
      drainRequested: isOld ? { epoch: wake.epoch, reason } : known,
      ready: { isTrue: true, reason: "Awake", message: "The pod runs." },
    },
  };
}

function keepWaking(situation: Situation, pod: PodNow): Decision {
  const { wake, outlook } = situation;
  const { image, delay, ageMs: waitsMs } = pod;
  if (image && (image.isFinal || waitsMs >= imageDeadlineMs)) return giveUp(situation, pod, image);
  if (waitsMs >= startDeadlineMs) return giveUp(situation, pod, delay ?? startTimeout);
  // No turn has begun: what was wrong may just have been mended.
  if (outlook.kind === "possible" && pod.template !== outlook.template) return { acts: [endOf(pod)] };
  const status = waking(wake.epoch, pod);
  const trouble = image ?? delay;
  return {
    acts: [],
    status: trouble
      ? { ...status, ready: { isTrue: false, reason: trouble.reason, message: trouble.message } }
      : status,
    lookAgainInMs: Math.max((image ? imageDeadlineMs : startDeadlineMs) - waitsMs, waitMs),
  };
}

const startTimeout: Trouble = {
  reason: "StartTimeout",
  message: `The pod did not start within ${startDeadlineMs / 60_000} minutes; see its events.`,
};

function lostFor(
  { now }: Situation,
  { lostSince }: PodNow,
): {
  readonly isLost: boolean;
  readonly lookAgain: { readonly lookAgainInMs?: number };
} {
  if (lostSince === undefined) return { isLost: false, lookAgain: {} };
  const restMs = lostSince + nodeLostMs - now;
  return restMs <= 0 ? { isLost: true, lookAgain: {} } : { isLost: false, lookAgain: { lookAgainInMs: restMs } };
}
