import { containers, labels } from "@copepod/core/cluster";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { systemClock } from "@copepod/kube/clock";
import { isConflict, isNotFound } from "@copepod/kube/errors";
import type { KubeObject } from "@copepod/kube/object";
import { pods } from "@copepod/operator/resources";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";

export const nodeName = "node-1";

const podSchema = z.object({
  metadata: z.object({
    ...{ name: z.string(), namespace: z.string(), uid: z.string() },
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({ phase: z.string().optional() }).optional(),
});

interface KubeletOptions {
  readonly server: KubeClient;
  readonly plane: ControlPlane;
  readonly namespace: string;
}

/**
 * Says of pods what scheduler and kubelet would say. Its limits: no container runs, no volume is mounted, no image is looked
 * for, nothing is refused, and a start and an end take no time. So it shows how the operator answers to what pods seem to be;
 * whether pods are as they seem is for the real cluster.
 */
export class SimulatedKubelet implements AsyncDisposable {
  /** Whether pods get a node and run. */
  starts = true;
  /** Whether pods that are to end do. */
  ends = true;
  readonly #options: KubeletOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #known = new Map<string, KubeObject>();
  /** Sessions that had two pods at some time. */
  readonly coexisting: string[] = [];

  constructor(options: KubeletOptions) {
    this.#options = options;
    const log = { debug: () => {}, info: () => {}, warn: () => {} };
    const reflectors = new Reflectors({ client: options.server, clock: systemClock, random: Math.random, log });
    const cache = reflectors.declare({ resource: pods, namespace: options.namespace, transform: (pod) => pod });
    cache.subscribe((key, { after }) => {
      if (after) this.#known.set(key, after);
      else this.#known.delete(key);
      if (!after?.metadata.labels?.[labels.session]) return;
      this.#count(after);
      void this.#look(after);
    });
    this.#running = reflectors.run(this.#stop.signal);
  }

  /** Catches up with what was held back. */
  async resume(): Promise<void> {
    Object.assign(this, { starts: true, ends: true });
    await Promise.all([...this.#known.values()].map((pod) => this.#look(pod)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#running;
  }

  #count({ metadata: { labels: has } }: KubeObject): void {
    const session = has?.[labels.session];
    const own = [...this.#known.values()].filter(({ metadata }) => metadata.labels?.[labels.session] === session);
    if (session !== undefined && own.length > 1) this.coexisting.push(own.map(({ metadata }) => metadata.name).join());
  }

  async #look(object: KubeObject): Promise<void> {
    const pod = podSchema.parse(object);
    const isEnding = pod.metadata.deletionTimestamp !== undefined;
    const act = async () => {
      const { deletionTimestamp: _, ...target } = pod.metadata;
      if (isEnding && this.ends) await this.#options.server.delete(pods, target, { gracePeriodSeconds: 0 });
      else if (!isEnding && this.starts && pod.status?.phase === "Pending") await this.#start(pod.metadata, pod.spec);
    };
    await act().catch((error: unknown) => {
      // It was changed or is gone: the next look sees it.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    });
  }

  async #start(place: { namespace: string; name: string }, spec: { nodeName?: string | undefined }): Promise<void> {
    if (spec.nodeName === undefined) await this.bind(place.name);
    await this.say(place.name, running());
  }

  /** Gives a pod its node. */
  async bind(name: string): Promise<void> {
    const body = { metadata: { name }, target: { apiVersion: "v1", kind: "Node", name: nodeName } };
    await this.#options.plane.call("POST", `/api/v1/namespaces/${this.#options.namespace}/pods/${name}/binding`, body);
  }

  /** Writes a pod's status. */
  async say(name: string, status: object): Promise<void> {
    const { server, namespace } = this.#options;
    await server.mergePatch(pods, { namespace, name, subresource: "status" }, { status });
  }
}

/** A status with the two containers in this state. */
export function containersAre(state: object, { ready = false, restartCount = 0 } = {}): object {
  const containerStatuses = Object.values(containers).map((name) => ({
    ...{ name, ready, restartCount, state, image: "image", imageID: "", lastState: {} },
  }));
  return { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }], containerStatuses };
}

export const running = (): object => containersAre({ running: { startedAt: "2030-01-01T00:00:00Z" } }, { ready: true });
export const waitingFor = (reason: string): object =>
  Object.assign(containersAre({ waiting: { reason, message: `${reason}: said the kubelet` } }), { phase: "Pending" });
