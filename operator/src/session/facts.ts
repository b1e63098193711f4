import { annotations, parsePodName } from "@copepod/core/cluster";
import { maxRestarts } from "./limits.ts";
import type { PodSeen } from "./pod-seen.ts";

/** Something that keeps a pod from running. */
export interface Trouble {
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

/** All that a decision asks of a pod. */
export interface PodFacts {
  readonly uid: string;
  readonly name: string;
  /** Undefined for a name that is none of a session's pod, and for a pod that `isOwn` denies. */
  readonly epoch: number | undefined;
  /** UTC ms when it was asked to end. */
  readonly deletedAt: number | undefined;
  /** It will never run again. */
  readonly ended: Trouble | undefined;
  readonly isReady: boolean;
  /** All containers have been started. */
  readonly isRunning: boolean;
  /** A container ends again and again, and waits for the next time. */
  readonly crashes: Trouble | undefined;
  /** An image can't be had now; `isFinal`: and never will be. */
  readonly image: (Trouble & { readonly isFinal: boolean }) | undefined;
  /** No node takes it now, or a container can't be made. */
  readonly delay: Trouble | undefined;
  readonly template: string | undefined;
  readonly rules: string | undefined;
}

/** A pod at the moment of a decision. */
export interface PodNow extends PodFacts {
  /** Since this process first saw it, by a clock that does not jump. */
  readonly ageMs: number;
  /** UTC ms since when its node was not heard of. */
  readonly lostSince: number | undefined;
}

export function factsOf({ metadata, deletedAt, status }: PodSeen): PodFacts {
  const { name = "", uid = "", annotations: notes = {} } = metadata;
  return {
    ...{ uid, name, deletedAt },
    epoch: parsePodName(name)?.epoch,
    ended: endedOf(status),
    isRunning: status.containerStatuses.length > 0 && status.containerStatuses.every(({ state }) => state.running),
    isReady: status.containerStatuses.length > 0 && status.containerStatuses.every(({ ready }) => ready),
    crashes: crashesOf(status),
    image: imageOf(status),
    delay: delayOf(status),
    template: notes[annotations.template],
    rules: notes[annotations.rules],
  };
}

function endedOf({ phase, reason, message }: PodSeen["status"]): Trouble | undefined {
  if (phase !== "Failed" && phase !== "Succeeded") return undefined;
  const why = reason ?? "PodEnded";
  return { reason: asWord(why, "PodEnded"), message: `The pod has ended (${why}): ${message ?? "no reason is given"}` };
}

function crashesOf({ containerStatuses }: PodSeen["status"]): Trouble | undefined {
  const crashed = containerStatuses.find(
    ({ state, restartCount }) => state.waiting?.reason === "CrashLoopBackOff" && restartCount >= maxRestarts,
  );
  if (!crashed) return undefined;
  const message = `The container ${crashed.name} was restarted ${maxRestarts} times and ended again; see its log.`;
  return { reason: "CrashLoop", message };
}

const finalImageReasons = ["InvalidImageName", "ErrImageNeverPull"];
const imageReasons = [...finalImageReasons, "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"];

/** Its sentence is our own: the kubelet's changes with each try. */
function imageOf({ containerStatuses }: PodSeen["status"]): PodFacts["image"] {
  for (const { name, state } of containerStatuses) {
    if (!state.waiting || !imageReasons.includes(state.waiting.reason)) continue;
    const message = `The image of the container ${name} can't be had; check its name, the registry and imagePullSecrets.`;
    return { reason: "ImageMissing", message, isFinal: finalImageReasons.includes(state.waiting.reason) };
  }
  return undefined;
}

function delayOf({ conditions, containerStatuses }: PodSeen["status"]): Trouble | undefined {
  const scheduled = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (scheduled?.reason === "Unschedulable") {
    const message = scheduled.message ?? "No node takes the pod.";
    return { reason: /Insufficient|Too many pods/.test(message) ? "NodeFull" : "Unschedulable", message };
  }
  const refused = containerStatuses.find(({ state }) => /^(Create|Run)Container/.test(state.waiting?.reason ?? ""));
  const waiting = refused?.state.waiting;
  return waiting && { reason: "ContainerRefused", message: withoutIds(`${waiting.reason}: ${waiting.message ?? ""}`) };
}

/** Each try has a container of its own: the same sentence with another id would be news, and be written again. */
const withoutIds = (text: string): string => text.replaceAll(/\b[0-9a-f]{64}\b/g, "…");

/** Reasons of conditions are words of letters only. */
export const asWord = (reason: string, otherwise: string): string =>
  /^[A-Z][A-Za-z]{0,62}$/.test(reason) ? reason : otherwise;
