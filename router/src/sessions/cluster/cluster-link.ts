import { setTimeout as pause } from "node:timers/promises";
import { keyOf } from "@copepod/core/addresses";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { audiences, channelAccountPrefix, groupObjectName, parsePodName } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import type { CacheChange } from "@copepod/kube/cache/cache";
import type { Reflectors } from "@copepod/kube/cache/reflectors";
import type { Logger } from "pino";
import { serviceAccountOf, type TokenReviews } from "../../http/token-reviews.ts";
import type { SessionWish } from "../../queue/queue-store.ts";
import type { PodIdentity, StarterLink, StarterListener } from "../session-starter.ts";
import { reportOf } from "./pod-report.ts";
import type { SessionObjects } from "./session-objects.ts";
import type { SessionSeen, Wake } from "./session-seen.ts";
import type { StatusWriter } from "./status-writer.ts";

export interface ClusterLinkDeps {
  readonly sessions: SessionObjects;
  readonly reflectors: Pick<Reflectors, "problem">;
  readonly reviews: TokenReviews;
  readonly statuses: StatusWriter;
  readonly namespaces: readonly string[];
  readonly random: () => number;
  readonly log: Pick<Logger, "warn">;
}

/** The router's side of the Session objects, through which the operator is told and tells. */
export class ClusterLink implements StarterLink {
  readonly #deps: ClusterLinkDeps;
  /** Last words, by session. */
  readonly #said = new Map<string, Wake>();
  /** One session's reports are brought in one after the other; between two of them only the last one counts. */
  readonly #reporting = new Map<string, { again: boolean }>();

  constructor(deps: ClusterLinkDeps) {
    this.#deps = deps;
  }

  notReady(): readonly string[] {
    const problem = this.#deps.reflectors.problem();
    return problem === undefined ? [] : [problem];
  }

  async put(wish: SessionWish): Promise<number> {
    this.#said.set(wish.session, { wanted: wish.wanted, epoch: wish.epoch });
    return await this.#deps.sessions.put(wish);
  }

  async dismiss(session: string): Promise<void> {
    await this.#deps.sessions.dismiss(session);
  }

  touched(session: string): void {
    this.#deps.statuses.touch(session);
  }

  /** Adapter hosts are Deployments of their own, which nobody has to be told of. */
  async putChannels(): Promise<void> {}

  suspended(): readonly string[] {
    return [...this.#deps.sessions.values()].flatMap(({ session, suspended }) => (suspended ? [session] : []));
  }

  async sessionOf(bearer: string): Promise<PodIdentity> {
    const { sessions, reviews } = this.#deps;
    const { username, pod } = await reviews.review(bearer, audiences.mailbox);
    const account = serviceAccountOf(username);
    const named = pod && parsePodName(pod.name);
    if (!account || !named) throw new CopepodError("unauthorized", "the token is not that of a session's pod");
    const session = keyOf(account.namespace, named.session);
    const seen = sessions.get(session);
    if (!seen) throw new CopepodError("podUnknown", "the session of this pod is not known yet");
    if (account.name !== groupObjectName(seen.group)) {
      throw new CopepodError("unauthorized", "the pod does not run as the agent group of its session");
    }
    if (named.epoch < seen.wake.epoch) throw new CopepodError("superseded", "the session has a later pod");
    // Anybody's pod may have the name of a session's. The queue compares too, but not for what holds no rows.
    if (seen.observed.podUid !== pod.uid) throw new CopepodError("podUnknown", "this pod is not known yet");
    return { session, epoch: named.epoch, podUid: pod.uid };
  }

  async channelOf(bearer: string): Promise<string> {
    const { username, pod } = await this.#deps.reviews.review(bearer, audiences.channel);
    const account = serviceAccountOf(username);
    const isChannel =
      account?.name.startsWith(channelAccountPrefix) && this.#deps.namespaces.includes(account.namespace);
    // Whoever may make tokens of an account makes them without a pod.
    if (!account || !isChannel || !pod)
      throw new CopepodError("unauthorized", "the token is not that of a channel's host");
    return keyOf(account.namespace, account.name.slice(channelAccountPrefix.length));
  }

  async follow(listener: StarterListener, signal: AbortSignal): Promise<void> {
    // Then perhaps nothing is known yet, and nothing may be decided.
    if (signal.aborted) return;
    const { sessions, statuses } = this.#deps;
    const stop = sessions.subscribe((session, change) => this.#changed(session, change, { listener, signal }));
    listener.connected();
    for (const { session, wake, shown } of sessions.values()) {
      if (wake.wanted) listener.forgot(session);
      if (shown.pending || shown.reason !== undefined) statuses.touch(session);
      this.#report(session, { listener, signal });
    }
    await statuses.run(signal);
    stop();
  }

  #changed(session: string, { before, after }: CacheChange<SessionSeen>, following: Following): void {
    if ((before?.suspended ?? false) !== (after?.suspended ?? false)) following.listener.suspensionsChanged();
    if (this.#isOverwritten(session, before, after)) following.listener.forgot(session);
    if (after) this.#report(session, following);
    else this.#said.delete(session);
  }

  /** Is the wish at the API server another one than what was said last? A deleted object has none. */
  #isOverwritten(session: string, before: SessionSeen | undefined, after: SessionSeen | undefined): boolean {
    if (!after) return true;
    // The watch has not come to what was written last.
    if (this.#deps.sessions.get(session) !== after) return false;
    const expected = this.#said.get(session) ?? before?.wake;
    return expected?.wanted !== after.wake.wanted || expected.epoch !== after.wake.epoch;
  }

  #report(session: string, following: Following): void {
    const running = this.#reporting.get(session);
    if (running) running.again = true;
    else void this.#bring(session, following);
  }

  async #bring(session: string, { listener, signal }: Following): Promise<void> {
    const state = { again: true };
    this.#reporting.set(session, state);
    for (let failures = 0; state.again && !signal.aborted; ) {
      state.again = false;
      const seen = this.#deps.sessions.get(session);
      const report = seen && reportOf(seen);
      try {
        if (report) await listener.pods([report]);
        failures = 0;
      } catch (err) {
        state.again = true;
        failures += 1;
        this.#deps.log.warn(
          { err, session },
          "what the operator says of a session could not be brought in; tried again",
        );
        await pause(backoffMs(reconnectBackoff, failures, this.#deps.random()), undefined, { signal }).catch(() => {});
      }
    }
    this.#reporting.delete(session);
  }
}

interface Following {
  readonly listener: StarterListener;
  readonly signal: AbortSignal;
}
