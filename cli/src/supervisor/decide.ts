import type { ProxyRules } from "@copepod/core/proxy-rules";
import type { TeamWorkspace } from "@copepod/core/supervisor-api";

/** What the router last said about a session. */
export interface Wish {
  readonly wanted: boolean;
  readonly epoch: number;
  /** Row key of the agent group. */
  readonly group: string;
  /** By which the session's proxy decides. */
  readonly rules: ProxyRules;
  /** What the group shares with others. */
  readonly team: readonly TeamWorkspace[];
}

/** What is there for a session. `ending`: asked to end, not gone yet. */
export interface PodState {
  readonly epoch: number;
  readonly stage: "up" | "failed" | "ending";
}

export interface World {
  readonly wish: Wish | undefined;
  readonly pod: PodState | undefined;
  /** The supervisor itself ends. */
  readonly closing: boolean;
}

export type Step =
  | { readonly kind: "start"; readonly wish: Wish; readonly reason: "Wanted" }
  | { readonly kind: "end"; readonly reason: "NotWanted" | "NewerEpoch" | "Closing" };

/** The next step for one session. An old pod is gone before a new one starts; a failed one stays until it is replaced. */
export function decide({ wish, pod, closing }: World): Step | undefined {
  if (!pod) {
    if (closing || !wish?.wanted) return undefined;
    return { kind: "start", wish, reason: "Wanted" };
  }
  if (pod.stage === "ending") return undefined;
  if (closing) return { kind: "end", reason: "Closing" };
  if (!wish?.wanted) return { kind: "end", reason: "NotWanted" };
  if (wish.epoch !== pod.epoch) return { kind: "end", reason: "NewerEpoch" };
  return undefined;
}
