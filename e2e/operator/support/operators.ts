import { randomBytes, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { type Clock, systemClock } from "@copepod/kube/clock";
import type { ElectionTimes } from "@copepod/kube/lease/options";
import { settingsSchema } from "@copepod/operator/config";
import { makeOperator, type OperatorParts } from "@copepod/operator/operator";
import { Registry } from "prom-client";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";

/** Tests skip hours; elections have tests of their own. */
const dayMs = 24 * 60 * 60_000;
const times: ElectionTimes = { leaseMs: 2 * dayMs, renewDeadlineMs: dayMs, retryMs: 100 };

export interface OperatorOptions {
  readonly plane: Pick<ControlPlane, "kubeconfig">;
  /** Followed, and with the Lease. */
  readonly namespace: string;
  /** Of its writes in the audit log, and its name. */
  readonly name: string;
  readonly clock?: Clock;
  /** Stands before each call but those of the Lease; `undefined` passes it on. */
  readonly intercept?: (call: Call) => Promise<void>;
  readonly settings?: object;
  /** Waited for before the events of a watch are handed on. */
  readonly holdWatch?: (plural: string) => Promise<void>;
  /** Namespace of its Lease: with one of its own it leads although another does. */
  readonly lease?: string;
}

export interface Call {
  readonly verb: "create" | "mergePatch" | "delete";
  /** Plural, and subresource, such as `sessions/status`. */
  readonly what: string;
  readonly name: string;
  /** To be called for a fault after the write has got through. */
  readonly pass: () => Promise<unknown>;
  /** What a process that was killed never comes back from: rejects only when the test has done with it. */
  readonly crash: () => Promise<never>;
}

/** The whole operator, in this process, on a real API server. */
export class RunningOperator implements AsyncDisposable {
  readonly warned: string[] = [];
  readonly #clients: readonly KubeClient[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: OperatorOptions) {
    const { plane, namespace, name, clock = systemClock, settings, lease = namespace } = options;
    const tools = { clock: systemClock, random: Math.random };
    const connect = (agent: string) =>
      createKubeClient({ identity: kubeconfig({ files: [plane.kubeconfig] }), userAgent: agent, ...tools });
    const [own, leaseClient] = [connect(`${name}/1`), connect(`${name}-lease/1`)];
    this.#clients = [own, leaseClient];
    const warn = (fields: object, line: string) => void this.warned.push(`${line} ${inspect(fields)}`);
    const operator = makeOperator({
      ...{ client: withFaults(own, options, this.#stop.signal), leaseClient, registry: new Registry(), times },
      ...{ namespaces: [namespace], podNamespace: lease, podName: name, random: Math.random, clock },
      log: { debug: () => {}, info: () => {}, warn },
      settings: settingsSchema.parse({
        images: { proxy: "proxy:1", agents: { demo: "agent:1" } },
        router: { mailboxUrl: "http://router.system:8081", namespace: "system", podLabels: { app: "router" } },
        ...settings,
      }),
      lookup: async () => [],
      newPlaceholder: () => randomBytes(32).toString("base64url"),
      newId: () => randomUUID().slice(0, 8),
    });
    this.#running = operator.run(this.#stop.signal);
  }

  /** Resolves when it has ended by itself. */
  get ended(): Promise<void> {
    return this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#running.catch(() => undefined);
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

const once = (stop: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (stop.aborted) reject(stop.reason);
    stop.addEventListener("abort", () => reject(stop.reason));
  });

function withFaults(
  client: KubeClient,
  { intercept, holdWatch }: OperatorOptions,
  stop: AbortSignal,
): OperatorParts["client"] {
  const around = async <T>(about: Omit<Call, "pass" | "crash">, write: () => Promise<T>): Promise<T> => {
    let done: Promise<T> | undefined;
    const pass = () => (done ??= write());
    await intercept?.({ ...about, pass, crash: () => once(stop) });
    return await pass();
  };
  return {
    get: (...call) => client.get(...call),
    page: (...call) => client.page(...call),
    list: (...call) => client.list(...call),
    apply: (...call) => client.apply(...call),
    close: () => client.close(),
    async *watch(resource, options) {
      for await (const event of client.watch(resource, options)) {
        await holdWatch?.(resource.plural);
        yield event;
      }
    },
    create: (resource, object, options) =>
      around({ verb: "create", what: resource.plural, name: object.metadata.name ?? "" }, () =>
        client.create(resource, object, options),
      ),
    mergePatch: (resource, target, patch, options) => {
      const what = target.subresource ? `${resource.plural}/${target.subresource}` : resource.plural;
      return around({ verb: "mergePatch", what, name: target.name }, () =>
        client.mergePatch(resource, target, patch, options),
      );
    },
    delete: (resource, target, options) =>
      around({ verb: "delete", what: resource.plural, name: target.name }, () =>
        client.delete(resource, target, options),
      ),
  };
}
