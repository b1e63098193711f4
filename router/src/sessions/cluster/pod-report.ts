import { startingReason } from "@copepod/core/cluster";
import type { PodReport } from "../session-starter.ts";
import type { SessionSeen } from "./session-seen.ts";

const phases = { Waking: "Starting", Awake: "Running", Draining: "Draining", Failed: "Failed" } as const;

/** What the operator says of the session's pod; undefined when it says that there is none. */
export function reportOf({ session, observed }: SessionSeen): PodReport | undefined {
  const { phase = "Asleep", epoch, podUid, conditions, drainRequested } = observed;
  if (phase === "Asleep" || epoch === undefined) return undefined;
  const ready = conditions.find(({ type }) => type === "Ready");
  const isTrouble = ready?.status === "False" && ready.reason !== startingReason;
  return {
    session,
    epoch,
    podUid,
    phase: phase === "Awake" && isTrouble ? "Starting" : phases[phase],
    reason: isTrouble ? ready.message : undefined,
    drainRequested: drainRequested?.epoch === epoch,
  };
}
