import { annotations, startingReason } from "@copepod/core/cluster";
import type { Session } from "@copepod/crds/session";
import { ApiError, isAlreadyExists, isConflict, isNotFound } from "@copepod/kube/errors";
import { keyOf } from "@copepod/kube/object";
import type { LeaderParts } from "../parts.ts";
import { pods, sessions } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { type Act, type Decision, failed, waking } from "./decide.ts";
import type { Trouble } from "./facts.ts";
import { isMade, isOwn } from "./own-pod.ts";
import { type PodPlan, podFor } from "./pod.ts";
import { changeOf } from "./pod-changes.ts";
import { type PodSeen, seePod } from "./pod-seen.ts";
import type { RecentWrites } from "./recent.ts";
import { asSentence, type OwnStatus, readStatus, statusPatch } from "./status.ts";

export interface ApplyParts extends LeaderParts {
  readonly recent: RecentWrites;
  /** Unguessable, and different each time. */
  readonly newPlaceholder: () => string;
}

/** What a decision was made about. */
export interface Subject {
  readonly session: Seen<Session> & { readonly resource: Session };
  readonly pods: readonly PodSeen[];
  readonly plan: PodPlan | undefined;
  readonly signal: AbortSignal;
}

/** Writes what was decided: first the pods, then what the status says of them. */
export async function apply(parts: ApplyParts, subject: Subject, decision: Decision): Promise<void> {
  let { status } = decision;
  for (const act of decision.acts) status = (await perform(parts, subject, act)) ?? status;
  if (decision.happened) tell(parts, subject, decision.happened);
  if (status) await writeStatus(parts, subject, status);
}

/** @returns the status that follows from the act, where the decision could not know it */
async function perform(
  parts: ApplyParts,
  { pods: all, ...subject }: Subject,
  act: Act,
): Promise<OwnStatus | undefined> {
  if (act.kind === "create") return await create(parts, { ...subject, pods: all });
  const pod = all.find(({ metadata }) => metadata.uid === act.uid);
  if (!pod) return undefined;
  const { signal } = subject;
  switch (act.kind) {
    case "end":
      await parts.fence.delete(pods, pod, act.atOnce ? { signal, gracePeriodSeconds: 0 } : { signal });
      parts.recent.ended(pod);
      return undefined;
    case "refresh": {
      const metadata = { annotations: { [annotations.rules]: act.rules } };
      await parts.fence.mergePatch(pods, pod, { metadata }, { signal });
      return undefined;
    }
  }
}

async function create(parts: ApplyParts, { session, plan, signal }: Subject): Promise<OwnStatus | undefined> {
  if (!plan) return undefined;
  const { epoch } = session.resource.spec.wake;
  const pod = podFor(plan, { epoch, placeholder: parts.newPlaceholder() });
  const { namespace, name = "" } = pod.metadata;
  try {
    const answer = await parts.fence.create(pods, pod, { signal });
    const change = changeOf(pod, answer);
    if (change !== undefined) {
      // One that has changed again, since it got its node, ends because its session has failed.
      await parts.fence.delete(pods, answer, { signal }).catch(unlessConflict);
      return failed(epoch, podChanged(change));
    }
    const made = seePod(answer);
    parts.recent.made(keyOf({ namespace, name: session.metadata.name ?? "" }), made);
    return waking(epoch, { name, uid: made.metadata.uid ?? "" });
  } catch (error) {
    if (isAlreadyExists(error)) return await takeUp(parts, { session, signal }, { namespace, name, error });
    const refusal = refusalOf(error);
    if (refusal) return failed(epoch, refusal);
    throw error;
  }
}

function unlessConflict(error: unknown): void {
  if (!isConflict(error)) throw error;
}

const podChanged = (field: string): Trouble => ({
  reason: "PodChanged",
  message: `Somebody, mostly an admission webhook, changed ${field} of the pod as it was made; it is ended. Have sessions' pods left out.`,
});

/**
 * A pod of ours that the cache does not show yet, or somebody else's, which is left alone.
 * @throws the error of the create, which brings the Session back: a pod of ours has to be gone first
 */
async function takeUp(
  parts: ApplyParts,
  { session, signal }: Pick<Subject, "session" | "signal">,
  { error, ...place }: { readonly namespace: string | undefined; readonly name: string; readonly error: unknown },
): Promise<OwnStatus | undefined> {
  const { epoch } = session.resource.spec.wake;
  const found = await parts.client.get(pods, place, { signal });
  if (!isMade(found, session)) {
    const message = `There is a pod ${place.name} that is not of this session; it is left alone. Delete or rename it.`;
    return failed(epoch, { reason: "Conflict", message });
  }
  const { deletedAt, metadata } = seePod(found);
  if (deletedAt === undefined && isOwn(found, session)) {
    return waking(epoch, { name: place.name, uid: metadata.uid ?? "" });
  }
  // Of the name's earlier Session, or without what network policies and caches know it by.
  if (deletedAt === undefined) await parts.fence.delete(pods, found, { signal });
  throw error;
}

/** What the cluster says no to; undefined for what passes by itself. */
function refusalOf(error: unknown): Trouble | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const message = asSentence(error.message);
  if (/exceeded quota/.test(error.message)) return { reason: "QuotaExceeded", message };
  // The group's service account is made a moment after the group.
  if (/error looking up service account/.test(error.message)) return undefined;
  return [400, 403, 413, 422].includes(error.status) ? { reason: "Refused", message } : undefined;
}

async function writeStatus(parts: ApplyParts, { session, signal }: Subject, wanted: OwnStatus): Promise<void> {
  const { generation } = session.metadata;
  const patch = statusPatch(readStatus(session.status), wanted, { now: parts.clock.now(), generation });
  if (!patch) return;
  try {
    const options = { signal, subresource: "status" };
    const { metadata, status } = await parts.fence.mergePatch(sessions, session, { status: patch }, options);
    parts.recent.wrote(session, { ...session, metadata, status: readStatus(status) });
  } catch (error) {
    // The Session is gone, and the garbage collector sees to its pods.
    if (isNotFound(error)) return;
    throw error;
  }
  if (!isNormal(wanted)) tell(parts, { session }, wanted.ready);
}

const normalReasons = ["Asleep", "Awake", startingReason, "Draining", "Suspended"];
const isNormal = ({ ready }: OwnStatus): boolean => normalReasons.includes(ready.reason);

function tell({ events }: ApplyParts, { session }: Pick<Subject, "session">, { reason, message }: Trouble): void {
  const regarding = { apiVersion: session.apiVersion, kind: session.kind, metadata: session.metadata };
  events.record({ regarding, type: "Warning", reason, action: "Wake", note: message });
}
