import { CopepodError } from "@copepod/core/errors";
import { folderName } from "../home/layout.ts";
import { AdapterHosts, type ChannelWish } from "./adapter-hosts.ts";
import { nodeProgram } from "./child.ts";
import { routerEnvironment } from "./commands.ts";
import { decide, type Step, type Wish } from "./decide.ts";
import { type Kept, keepRunning } from "./keep.ts";
import { type Processes, ProcessList } from "./process-list.ts";
import { isLasting } from "./router-error.ts";
import { SessionPod } from "./session-pod.ts";
import type { SupervisorDeps } from "./supervisor-deps.ts";

/** Stands for the operator on one machine: makes what runs match what the router wants. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #list = new ProcessList();
  readonly #wishes = new Map<string, Wish>();
  readonly #pods = new Map<string, SessionPod>();
  readonly #hosts: AdapterHosts;
  readonly #routerFailed = Promise.withResolvers<string>();
  #router: Kept | undefined;
  #routerHeard = false;
  #closing = false;
  #hurried = false;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#hosts = new AdapterHosts(this.#list, deps);
  }

  /** Resolves with a sentence if the router can't be started at all; a router that ever spoke to us is tried for ever. */
  get routerFailed(): Promise<string> {
    return this.#routerFailed.promise;
  }

  startRouter(): void {
    const { places, scripts, childEnvironment, startChild, ensureRunFolder, openLog, say } = this.#deps;
    const env = { ...childEnvironment, ...routerEnvironment(places) };
    const log = openLog("router");
    let said = "";
    this.#router = keepRunning(
      {
        name: "router",
        start: () => {
          ensureRunFolder();
          return startChild({ ...nodeProgram(scripts.router, env), log });
        },
        onEnded: (reason) => {
          if (isLasting(reason) && !this.#routerHeard) this.#routerFailed.resolve(reason);
          else if (reason !== said) say(`The router ${reason}; starting it again.`);
          said = reason;
        },
        onFailing: (reason) => {
          if (!this.#routerHeard) this.#routerFailed.resolve(reason);
          return this.#routerHeard;
        },
      },
      this.#deps,
    );
  }

  /** @throws CopepodError `superseded` for an epoch before the last one while anything of the session runs, `invalid` for a name that can't be a folder */
  putWanted(session: string, wish: Wish): void {
    this.#assertOpen();
    folderName(session);
    folderName(wish.group);
    for (const { workspace } of wish.team) folderName(workspace);
    const last = this.#wishes.get(session);
    if (last && wish.epoch < last.epoch) {
      throw new CopepodError("superseded", `session ${session} is at epoch ${last.epoch} already`);
    }
    this.#wishes.set(session, wish);
    this.#reconcile(session);
  }

  async putChannels(channels: readonly ChannelWish[]): Promise<void> {
    this.#assertOpen();
    await this.#hosts.put(channels, this.#deps.graces.otherMs);
  }

  watch(version: number, waitMs: number, signal: AbortSignal): Promise<Processes> {
    this.#routerHeard = true;
    return this.#list.watch(version, waitMs, signal);
  }

  /** Ends everything in order: sessions, which may say their last words to the router, then hosts, then the router. */
  async close(): Promise<void> {
    this.#closing = true;
    const { closingSessionMs, otherMs } = this.#deps.graces;
    await Promise.all([...this.#pods].map(([session, pod]) => this.#end(session, pod, this.#grace(closingSessionMs))));
    await this.#hosts.put([], this.#grace(otherMs));
    await this.#router?.end(this.#grace(otherMs));
  }

  /** Makes `close` end at once. */
  kill(): void {
    this.#hurried = true;
    for (const pod of this.#pods.values()) pod.kill();
    this.#hosts.kill();
    this.#router?.kill();
  }

  #grace(ms: number): number {
    return this.#hurried ? 0 : ms;
  }

  #assertOpen(): void {
    this.#routerHeard = true;
    if (this.#closing) throw new CopepodError("unavailable", "the supervisor is ending");
  }

  #reconcile(session: string): void {
    const pod = this.#pods.get(session);
    const wish = this.#wishes.get(session);
    const step = decide({ wish, pod, closing: this.#closing });
    if (step) this.#apply(session, step);
    else if (pod && wish) pod.putRules(wish.rules);
    // Only what runs may refuse a smaller epoch: a router whose older queue was restored counts from there again.
    else this.#wishes.delete(session);
  }

  #apply(session: string, step: Step): void {
    this.#deps.log.info({ session, step: step.kind, reason: step.reason }, "session step");
    switch (step.kind) {
      case "start": {
        const input = { session, ...step.wish };
        this.#pods.set(session, new SessionPod(input, (pod) => this.#list.setPod(session, pod), this.#deps));
        return;
      }
      case "end": {
        const pod = this.#pods.get(session);
        if (pod) this.#deps.background(this.#end(session, pod, this.#deps.graces.sessionMs));
        return;
      }
    }
  }

  /** A pod that is ending already has the shorter of both times. */
  async #end(session: string, pod: SessionPod, graceMs: number): Promise<void> {
    await pod.end(graceMs);
    if (this.#pods.get(session) !== pod) return;
    this.#pods.delete(session);
    this.#list.setPod(session, undefined);
    this.#reconcile(session);
  }
}
