import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { EventRecorder } from "@copepod/kube/controller/events";
import { lead } from "@copepod/kube/controller/lead";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import { controllerMetrics } from "@copepod/kube/metrics/metrics";
import { declareCaches } from "@copepod/operator/caches";
import { settingsSchema } from "@copepod/operator/config";
import { makeCredentialController } from "@copepod/operator/credential/credential";
import { makeGroupController } from "@copepod/operator/group/group";
import type { Lookup } from "@copepod/operator/group/hosts";
import { makeRetentionController } from "@copepod/operator/group/retention";
import { makeWorkspaceController } from "@copepod/operator/workspace/workspace";
import { Registry } from "prom-client";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { until } from "../../support/until.ts";
import { SkippingClock } from "./skipping-clock.ts";

const userAgent = "keepers/1";
const drainMs = 5_000;

export interface KeepersOptions {
  readonly plane: ControlPlane;
  readonly namespaces: readonly string[];
  readonly lookup: Lookup;
  readonly mountPolicy: object;
}

/** The controllers of agent groups, workspaces and credentials, as the operator runs them. */
export class Keepers implements AsyncDisposable {
  readonly clock: SkippingClock = new SkippingClock();
  readonly logged: string[] = [];
  readonly #plane: ControlPlane;
  readonly #clients: readonly KubeClient[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #events: EventRecorder;
  #failure: Error | undefined;

  constructor({ plane, namespaces, lookup, mountPolicy }: KeepersOptions) {
    this.#plane = plane;
    const tools = { clock: this.clock, random: Math.random };
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    const [client, leaseClient] = [userAgent, "keepers-lease/1"].map((agent) =>
      createKubeClient({ identity, userAgent: agent, clock: systemClock, random: Math.random }),
    );
    if (!client || !leaseClient) throw new Error("two clients are needed");
    this.#clients = [client, leaseClient];
    const say = (fields: object, message: string) => void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    const log = { debug: say, info: say, warn: say };
    const reflectors = new Reflectors({ ...tools, clock: systemClock, client, log });
    const about = { controller: "copepod.dev/operator", instance: "test", newId: () => randomUUID().slice(0, 8) };
    this.#events = new EventRecorder({ client, log, clock: systemClock, ...about });
    const parts = {
      ...{
        client,
        log,
        observerOf: controllerMetrics(new Registry()),
        ...tools,
        caches: declareCaches(reflectors, namespaces),
      },
      events: this.#events,
      settings: settingsSchema.parse({
        images: { proxy: "proxy", agents: {} },
        router: { mailboxUrl: "http://router.system:8081", namespace: "system", podLabels: { app: "router" } },
        mountPolicy,
      }),
    };
    const lease = { namespace: "default", name: `keepers-${randomUUID().slice(0, 8)}` };
    const election = { client: leaseClient, lease, candidate: randomUUID(), log, ...tools, clock: systemClock };
    this.#running = lead(
      {
        ...{ reflectors, drainMs, campaign: (signal) => campaign(election, signal) },
        begin: (leadership) => {
          const fence = new Fence({ client, leadership, annotation: "copepod.dev/term" });
          const given = { ...parts, fence };
          return [
            makeGroupController(given, lookup),
            makeWorkspaceController(given),
            makeCredentialController(given),
            makeRetentionController(given),
          ];
        },
      },
      this.#stop.signal,
    );
    this.#running.catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  /** Writes so far but for Leases and Events, refused ones included, such as `create configmaps a/b 201`. */
  async writes(): Promise<readonly string[]> {
    const mark = `mark-${randomUUID().slice(0, 8)}`;
    // A line comes a little after its answer; once that of a later write is there, so are those before it.
    await this.#plane.call("POST", "/api/v1/namespaces", { metadata: { name: mark } });
    const text = await until("the mark is in the audit log", async () => {
      const found = await readFile(this.#plane.auditLog, "utf8");
      return found.includes(mark) && found;
    });
    const lines = text.split("\n").filter((line) => line.includes(`"${userAgent}"`));
    return lines.map((line) => auditSchema.parse(JSON.parse(line))).flatMap((entry) => describeWrite(entry));
  }

  /** Throws what ended the controllers. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#running;
    await this.#events.close();
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

const auditSchema = z.object({
  verb: z.string(),
  objectRef: z.object({
    ...{ resource: z.string(), subresource: z.string().optional() },
    ...{ namespace: z.string().default(""), name: z.string().default("") },
  }),
  responseStatus: z.object({ code: z.number() }),
});

function describeWrite({ verb, objectRef, responseStatus }: z.output<typeof auditSchema>): string[] {
  const { resource, subresource, namespace, name } = objectRef;
  if (resource === "events") return [];
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  return [`${verb} ${what} ${namespace}/${name} ${responseStatus.code}`];
}
