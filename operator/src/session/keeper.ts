import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Session } from "@copepod/crds/session";
import type { ReconcileResult } from "@copepod/kube/controller/controller";
import { isControlledBy } from "@copepod/kube/controller/owners";
import { isNotFound } from "@copepod/kube/errors";
import { type HasMetadata, keyOf } from "@copepod/kube/object";
import { pods } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { type ApplyParts, apply, type Subject } from "./apply.ts";
import { decide, type Situation } from "./decide.ts";
import { factsOf } from "./facts.ts";
import { slotWaitMs } from "./limits.ts";
import { Places } from "./places.ts";
import { type Planned, planPod, whyNoGroup } from "./plan.ts";
import type { PodSeen } from "./pod-seen.ts";
import { expectMs } from "./recent.ts";
import { readStatus } from "./status.ts";

/** Brings one Session after the other closer to what is wanted of it. */
export class SessionKeeper {
  readonly #parts: ApplyParts;
  readonly #places: Places;

  constructor(parts: ApplyParts) {
    this.#parts = parts;
    this.#places = new Places(parts, parts.recent);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const cached = this.#parts.caches.sessions.get(key);
    // The garbage collector removes the pods of a Session that is gone.
    if (!cached || cached.metadata.deletionTimestamp !== undefined) return undefined;
    const session = this.#parts.recent.latest(cached);
    if (!isReadable(session)) {
      this.#parts.log.warn(
        { session: key, problem: session.problem },
        "a Session can't be read; its pod stays as it is",
      );
      return undefined;
    }
    const own = await this.#podsOf(key, session, signal);
    const { start, plan } = await this.#plan(session, signal);
    const decision = decide(this.#situation({ session, pods: own, start }));
    const subject: Subject = { session, pods: own, plan, signal };
    const isStart = decision.acts.some(({ kind }) => kind === "create");
    const write = async () => {
      await apply(this.#parts, subject, decision);
      return { done: true };
    };
    const written = isStart ? await this.#places.whileTaken(write) : await write();
    if (!written) return { requeueAfterMs: slotWaitMs };
    // A pod that came and went before its maker heard of it leaves no event behind.
    const expected = this.#parts.recent.awaits(key) ? expectMs : Number.POSITIVE_INFINITY;
    const requeueAfterMs = Math.min(decision.lookAgainInMs ?? Number.POSITIVE_INFINITY, expected);
    return requeueAfterMs === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs };
  }

  async #podsOf(key: string, session: HasMetadata, signal: AbortSignal): Promise<readonly PodSeen[]> {
    const { recent, client } = this.#parts;
    const overdue = recent.overdue(key);
    if (overdue && (await isGone(client, overdue, signal))) recent.forgetPod(overdue, key);
    const cached = this.#parts.caches.pods.byIndex("session", key).filter((pod) => isControlledBy(pod, session));
    return recent.pods(key, cached);
  }

  async #plan(session: Readable, signal: AbortSignal): Promise<Planned> {
    // Nobody asks for a pod: what it would need does not matter.
    if (!session.resource.spec.wake.wanted) return { start: { kind: "soon" } };
    const place = groupPlace(session);
    const group = this.#parts.caches.groups.get(keyOf(place));
    return group ? planPod(this.#parts, session, group) : await whyNoGroup(this.#parts, place, signal);
  }

  #situation({
    session,
    pods: own,
    start,
  }: Pick<Subject, "pods"> & { session: Readable } & Pick<Planned, "start">): Situation {
    const { caches, clock } = this.#parts;
    const { wake, suspended } = session.resource.spec;
    const group = caches.groups.get(keyOf(groupPlace(session)))?.resource;
    const node = caches.nodes.get(own[0]?.nodeName ?? "");
    return {
      ...{ wake, start, now: clock.now() },
      suspended: whySuspended(suspended, group),
      status: readStatus(session.status),
      pods: own.map(factsOf),
      lostSince: node?.lostSince,
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
  if (session) return "The session is suspended; set suspended: false, or use `copepod resume`.";
  return group?.spec.suspended
    ? "The agent group is suspended; set suspended: false, or use `copepod resume`."
    : undefined;
}
