import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Session } from "@copepod/crds/session";
import type { CacheChange } from "@copepod/kube/cache/cache";
import type { ReconcileResult } from "@copepod/kube/controller/controller";
import { ownerKey, ownKey } from "@copepod/kube/controller/owners";
import { isNotFound } from "@copepod/kube/errors";
import { keyOf } from "@copepod/kube/object";
import { pods, sessions } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { type ApplyParts, apply, type Subject } from "./apply.ts";
import { decide, needsPod, type Situation } from "./decide.ts";
import { factsOf } from "./facts.ts";
import { expectMs, slotWaitMs } from "./limits.ts";
import { isOwn } from "./own-pod.ts";
import { Places } from "./places.ts";
import { type Planned, planPod, whyNoGroup } from "./plan.ts";
import type { PodSeen } from "./pod-seen.ts";
import { readStatus } from "./status.ts";

/** Brings one Session after the other closer to what is wanted of it. */
export class SessionKeeper {
  readonly #parts: ApplyParts;
  readonly #places: Places;

  /** @param call has a session looked at again */
  constructor(parts: ApplyParts, call: (session: string) => void) {
    this.#parts = parts;
    this.#places = new Places({ ...parts, call });
  }

  /** To be called when a pod has changed, or is gone (`after` is undefined). */
  heardOf({ before, after }: CacheChange<PodSeen>): void {
    const { recent } = this.#parts;
    const pod = after ?? before;
    if (pod) recent.podChanged(pod, ownerKey(sessions)(pod)[0]);
    if (pod && !after) recent.podGone(pod);
    this.#places.callNext();
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const cached = this.#parts.caches.sessions.get(key);
    // The garbage collector removes the pods of a Session that is gone.
    if (!cached || cached.metadata.deletionTimestamp !== undefined) {
      this.#places.leave(key);
      return undefined;
    }
    const session = this.#parts.recent.latest(cached);
    if (!isReadable(session)) {
      this.#parts.log.warn(
        { session: key, problem: session.problem },
        "a Session can't be read; its pod stays as it is",
      );
      return undefined;
    }
    const own = await this.#podsOf(key, signal);
    const seen = this.#see(session, own);
    if (!needsPod(seen)) {
      this.#places.leave(key);
      return await this.#bring({ session, pods: own, signal }, seen);
    }
    if (!this.#places.take(key)) return { requeueAfterMs: slotWaitMs };
    try {
      return await this.#bring({ session, pods: own, signal }, seen);
    } finally {
      this.#places.give();
    }
  }

  async #bring(subject: Omit<Subject, "plan">, seen: Omit<Situation, "outlook">): Promise<ReconcileResult | undefined> {
    const { outlook, plan } = await this.#plan(subject.session, subject.signal);
    const decision = decide({ ...seen, outlook });
    await apply(this.#parts, { ...subject, plan }, decision);
    // A pod that came and went before its maker heard of it leaves no event behind.
    const isAwaited = ownKey(subject.session).some((key) => this.#parts.recent.awaits(key));
    const expected = isAwaited ? expectMs : Number.POSITIVE_INFINITY;
    const requeueAfterMs = Math.min(decision.lookAgainInMs ?? Number.POSITIVE_INFINITY, expected);
    return requeueAfterMs === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs };
  }

  /** Those of an earlier Session of the name, and without their labels, too: they end first. */
  async #podsOf(key: string, signal: AbortSignal): Promise<readonly PodSeen[]> {
    const { recent, client } = this.#parts;
    const overdue = recent.overdue(key);
    if (overdue && (await isGone(client, overdue, signal))) this.heardOf({ before: overdue, after: undefined });
    return recent.pods(key, this.#parts.caches.pods.byIndex("session", key));
  }

  async #plan(session: Readable, signal: AbortSignal): Promise<Planned> {
    // Nobody asks for a pod: what it would need does not matter.
    if (!session.resource.spec.wake.wanted) return { outlook: { kind: "soon" } };
    const place = groupPlace(session);
    const group = this.#parts.caches.groups.get(keyOf(place));
    return group ? planPod(this.#parts, session, group) : await whyNoGroup(this.#parts, place, signal);
  }

  #see(session: Readable, own: readonly PodSeen[]): Omit<Situation, "outlook"> {
    const { caches, clock, recent } = this.#parts;
    const { wake, suspended } = session.resource.spec;
    const group = caches.groups.get(keyOf(groupPlace(session)))?.resource;
    return {
      ...{ wake, now: clock.now() },
      suspended: whySuspended(suspended, group),
      status: readStatus(session.status),
      pods: own.map((pod) => ({
        ...factsOf(pod),
        ...(isOwn(pod, session) ? {} : { epoch: undefined }),
        ageMs: recent.ageOf(pod),
        lostSince: caches.nodes.get(pod.nodeName ?? "")?.lostSince,
      })),
      forceLost: group?.spec.session.onNodeLost === "Force",
    };
  }
}

async function isGone(client: ApplyParts["client"], { metadata }: PodSeen, signal: AbortSignal): Promise<boolean> {
  const { namespace, name = "", uid } = metadata;
  try {
    return (await client.get(pods, { namespace, name }, { signal })).metadata.uid !== uid;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

type Readable = Seen<Session> & { readonly resource: Session };
const isReadable = (seen: Seen<Session>): seen is Readable => seen.resource !== undefined;

const groupPlace = ({ metadata: { namespace = "" }, resource }: Readable) => ({ namespace, name: resource.spec.group });

function whySuspended(session: boolean, group: AgentGroup | undefined): string | undefined {
  const what = session ? "session" : group?.spec.suspended && "agent group";
  return what ? `The ${what} is suspended; set suspended: false, or use \`copepod resume\`.` : undefined;
}
