import type { Problem } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import { apiGroup, apiVersionName, type Definition } from "@copepod/crds/definition";
import { definitions } from "@copepod/crds/kinds";
import type { Reflectors } from "@copepod/kube/cache/reflectors";
import type { Resource as KubeResource } from "@copepod/kube/object";
import type { Logger } from "pino";
import type { Applied, ResourceStore, Resources } from "../resource-store.ts";
import { KindState } from "./kind-state.ts";
import { seenOf } from "./seen.ts";

export interface ClusterResourcesParts {
  /** Who made them runs them, and waits until they are synced before anything is decided. */
  readonly reflectors: Pick<Reflectors, "declare">;
  /** Those that are followed, each by lists and watches of its own: no right on the whole cluster is needed. */
  readonly namespaces: readonly string[];
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Resources as the API server has them, in all followed namespaces. */
export function openClusterResources(parts: ClusterResourcesParts): ResourceStore {
  return new ClusterResources(parts);
}

class ClusterResources implements ResourceStore {
  readonly #log: ClusterResourcesParts["log"];
  readonly #kinds = {
    agentGroups: new KindState("AgentGroup"),
    channels: new KindState("Channel"),
    wirings: new KindState("Wiring"),
    users: new KindState("User"),
    credentials: new KindState("Credential"),
  };
  readonly #listeners = new Set<() => void>();
  readonly #stops: readonly (() => void)[];
  #resources: Resources;
  #problems: readonly Problem[] = [];
  /** Something has changed since `#resources` and `#problems` were put together. */
  #isOld = false;
  #announcement: NodeJS.Immediate | undefined;

  constructor({ reflectors, namespaces, log }: ClusterResourcesParts) {
    this.#log = log;
    this.#resources = this.#snapshot();
    const states = Object.values(this.#kinds);
    this.#stops = definitions.flatMap((definition) => {
      const state = states.find(({ kind }) => kind === definition.kind);
      if (!state) return [];
      return namespaces.map((namespace) => {
        const resource = resourceOf(definition);
        const name = `${definition.plural}.${apiGroup} of ${namespace}`;
        const cache = reflectors.declare({ resource, name, namespace, transform: seenOf });
        return cache.subscribe((key, { after }) => {
          if (state.take(key, after)) this.#changed();
        });
      });
    });
  }

  current(): Resources {
    this.#renew();
    return this.#resources;
  }

  problems(): readonly Problem[] {
    this.#renew();
    return this.#problems;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The router's own rights must not be a way round those of the person who asks. */
  async apply(): Promise<Applied> {
    throw new CopepodError(
      "forbidden",
      "In a cluster the API server takes resources: use `kubectl apply`, or `copepod apply`, with your own rights.",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop();
    clearImmediate(this.#announcement);
    this.#listeners.clear();
  }

  #snapshot(): Resources {
    const { agentGroups, channels, wirings, users, credentials } = this.#kinds;
    return {
      agentGroups: agentGroups.snapshot(),
      channels: channels.snapshot(),
      wirings: wirings.snapshot(),
      users: users.snapshot(),
      credentials: credentials.snapshot(),
    };
  }

  #renew(): void {
    if (!this.#isOld) return;
    this.#isOld = false;
    this.#resources = this.#snapshot();
    this.#problems = Object.values(this.#kinds).flatMap((kind) => kind.problems());
  }

  /** A list brings thousands of changes in one step, and they are told as one. */
  #changed(): void {
    this.#isOld = true;
    this.#announcement ??= setImmediate(() => {
      this.#announcement = undefined;
      this.#announce();
    });
  }

  #announce(): void {
    const problems = this.problems();
    for (const { file, path } of problems) this.#log.warn({ file, path }, "resource is bad");
    this.#log.info({ problems: problems.length }, "resources changed");
    for (const listener of this.#listeners) listener();
  }
}

const resourceOf = ({ kind, plural }: Definition): KubeResource => ({
  group: apiGroup,
  version: apiVersionName,
  kind,
  plural,
  namespaced: true,
});
