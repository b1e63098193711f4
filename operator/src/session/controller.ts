import { isDeepStrictEqual } from "node:util";
import { labels } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Session } from "@copepod/crds/session";
import { Controller, type ReconcileResult } from "@copepod/kube/controller/controller";
import { isControlledBy, ownerKey, ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, type Source, sourceOf } from "@copepod/kube/controller/sources";
import { type HasMetadata, keyOf } from "@copepod/kube/object";
import type { Caches, LeaderParts } from "../parts.ts";
import { sessions } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { type ApplyParts, apply, type Subject } from "./apply.ts";
import { decide, type Situation } from "./decide.ts";
import { factsOf } from "./facts.ts";
import { slotWaitMs } from "./limits.ts";
import { Places } from "./places.ts";
import { type Planned, planPod, whyNoGroup } from "./plan.ts";
import type { PodSeen } from "./pod-seen.ts";
import { RecentWrites } from "./recent.ts";
import { readStatus } from "./status.ts";

/** Many wakes at once wait for the API server, not for us. */
const workers = 8;

/** Keeps each session's pod as it is wanted: see `decide`. */
export function makeSessionController(
  parts: LeaderParts & { readonly newPlaceholder: () => string },
): Pick<Controller, "run"> {
  const { clock, random, log, caches } = parts;
  const recent = new RecentWrites(clock);
  const keeper = new Sessions({ ...parts, recent });
  const forget = [
    caches.pods.subscribe((_, { before, after }) => {
      const pod = after ?? before;
      if (pod) recent.forgetPod(pod, ownerKey(sessions)(pod)[0]);
    }),
    caches.sessions.subscribe((key, { after }) => {
      if (!after) recent.forgetSession(key);
    }),
  ];
  const controller = new Controller({
    ...{ name: "session", workers, clock, random, log, sources: sourcesOf(caches) },
    observer: parts.observerOf("session"),
    reconcile: (key, signal) => keeper.reconcile(key, signal),
  });
  return {
    run: async (options) => {
      try {
        return await controller.run(options);
      } finally {
        for (const end of forget) end();
      }
    },
  };
}

class Sessions {
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
    const pods = this.#podsOf(key, session);
    const { start, plan } = await this.#plan(session, signal);
    const decision = decide(this.#situation({ session, pods, start }));
    const subject: Subject = { session, pods, plan, signal };
    const isStart = decision.acts.some(({ kind }) => kind === "create");
    const write = async () => {
      await apply(this.#parts, subject, decision);
      return { done: true };
    };
    const written = isStart ? await this.#places.whileTaken(write) : await write();
    if (!written) return { requeueAfterMs: slotWaitMs };
    return decision.lookAgainInMs === undefined ? undefined : { requeueAfterMs: decision.lookAgainInMs };
  }

  #podsOf(key: string, session: HasMetadata): readonly PodSeen[] {
    const cached = this.#parts.caches.pods.byIndex("session", key).filter((pod) => isControlledBy(pod, session));
    return this.#parts.recent.pods(key, cached);
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
    pods,
    start,
  }: Pick<Subject, "pods"> & { session: Readable } & Pick<Planned, "start">): Situation {
    const { caches, clock } = this.#parts;
    const { wake, suspended } = session.resource.spec;
    const group = caches.groups.get(keyOf(groupPlace(session)))?.resource;
    const node = caches.nodes.get(pods[0]?.nodeName ?? "");
    return {
      ...{ wake, start, now: clock.now() },
      suspended: whySuspended(suspended, group),
      status: readStatus(session.status),
      pods: pods.map(factsOf),
      lostSince: node?.lostSince,
      forceLost: group?.spec.session.onNodeLost === "Force",
    };
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

/** What a session is looked at again for: never the status, of which the router writes a part. */
function sourcesOf(caches: Caches): readonly Source[] {
  const ofGroup = (key: string): string[] => caches.sessions.byIndex("group", key).flatMap(ownKey);
  const ofGroupChild = ({ metadata: { namespace, labels: has } }: HasMetadata): string[] => {
    const name = has?.[labels.group];
    return name === undefined ? [] : ofGroup(keyOf({ namespace, name }));
  };
  const groupChildren = [caches.volumeClaims, caches.serviceAccounts, caches.configMaps, caches.networkPolicies];
  return [
    sourceOf(caches.sessions, { keysOf: ownKey, when: isMoreThanStatus }),
    sourceOf(caches.pods, {
      keysOf: ownerKey(sessions),
      when: (before, after) => !isDeepStrictEqual(factsOf(before), factsOf(after)),
    }),
    sourceOf(caches.groups, { keysOf: (group) => ownKey(group).flatMap(ofGroup), when: isMoreThanStatus }),
    ...groupChildren.map((cache) => sourceOf(cache, { keysOf: ofGroupChild })),
    sourceOf(caches.nodes, {
      keysOf: ({ metadata }) =>
        [...caches.pods.values()].filter(({ nodeName }) => nodeName === metadata.name).flatMap(ownerKey(sessions)),
      when: (before, after) => before.lostSince !== after.lostSince,
    }),
  ];
}
