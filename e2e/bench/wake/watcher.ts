import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { systemClock } from "@copepod/kube/clock";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { pods, sessions } from "@copepod/operator/resources";
import { z } from "zod";

/** UTC milliseconds at which a watch told of it. Kubernetes' own stamps are whole seconds. */
export interface Sightings {
  wanted?: number;
  created?: number;
  scheduled?: number;
  started?: number;
  ready?: number;
  unwanted?: number;
  gone?: number;
}

const wakeSchema = z.object({ wake: z.object({ wanted: z.boolean(), epoch: z.int() }) });
const podSchema = z.object({
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({
    containerStatuses: z
      .array(z.object({ ready: z.boolean(), state: z.object({ running: z.unknown().optional() }) }))
      .default([]),
  }),
});

/** Sees pods and Sessions come and go. */
export class Watcher {
  readonly #seen = new Map<string, Sightings>();
  readonly #reflectors: Reflectors;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;

  constructor(client: KubeClient, namespaces: { readonly agents: string; readonly bare: string }) {
    const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
    this.#reflectors = new Reflectors({ client, clock: systemClock, random: Math.random, log });
    const settings = { transform: (object: KubeObject) => object };
    const declare = (resource: Resource, namespace: string, name: string) =>
      this.#reflectors.declare({ ...settings, resource, namespace, name });
    declare(sessions, namespaces.agents, "sessions").subscribe((_, { after }) => after && this.#hearSession(after));
    for (const [name, namespace] of Object.entries(namespaces)) {
      declare(pods, namespace, `pods-${name}`).subscribe((_, { before, after }) => this.#hearPod(before, after));
    }
    this.#running = this.#reflectors.run(this.#ending.signal);
  }

  async ready(): Promise<void> {
    await this.#reflectors.whenSynced();
  }

  /** @param pod its name; of a session `<session>-<epoch>` */
  of(pod: string): Sightings {
    const found = this.#seen.get(pod) ?? {};
    this.#seen.set(pod, found);
    return found;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  #hearSession({ metadata, spec }: KubeObject): void {
    const { wanted, epoch } = wakeSchema.parse(spec).wake;
    const sightings = this.of(`${metadata.name}-${epoch}`);
    if (wanted) sightings.wanted ??= Date.now();
    else sightings.unwanted ??= Date.now();
  }

  #hearPod(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const sightings = this.of(String((after ?? before)?.metadata.name));
    if (!after) {
      sightings.gone ??= Date.now();
      return;
    }
    sightings.created ??= Date.now();
    const { spec, status } = podSchema.parse(after);
    const all = status.containerStatuses;
    if (spec.nodeName !== undefined) sightings.scheduled ??= Date.now();
    if (all.length > 0 && all.every(({ state }) => state.running !== undefined)) sightings.started ??= Date.now();
    if (all.length > 0 && all.every(({ ready }) => ready)) sightings.ready ??= Date.now();
  }
}
