import { operatorName } from "@copepod/core/cluster";
import type { ReflectorDeps } from "@copepod/kube/cache/reflector";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { EventRecorder } from "@copepod/kube/controller/events";
import { lead } from "@copepod/kube/controller/lead";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import type { Leadership } from "@copepod/kube/lease/leadership";
import type { ElectionOptions, ElectionTimes } from "@copepod/kube/lease/options";
import { type HealthCheck, readinessChecks } from "@copepod/kube/metrics/health";
import { controllerMetrics, electionMetrics, reflectorMetrics } from "@copepod/kube/metrics/metrics";
import type { Registry } from "prom-client";
import { declareCaches } from "./caches.ts";
import type { Settings } from "./config.ts";
import { makeCredentialController } from "./credential/credential.ts";
import { makeGroupController } from "./group/group.ts";
import type { Lookup } from "./group/hosts.ts";
import { makeRetentionController } from "./group/retention.ts";
import type { LeaderParts, Parts } from "./parts.ts";
import { makeSessionController } from "./session/controller.ts";
import { makeWorkspaceController } from "./workspace/workspace.ts";

/** What runs at the stop gets this long to end. */
const drainMs = 5_000;

export interface OperatorParts extends Omit<ReflectorDeps, "client" | "observer"> {
  readonly client: KubeClient;
  /** For the Lease alone: see `ElectionOptions`. */
  readonly leaseClient: ElectionOptions["client"];
  readonly registry: Registry;
  /** Those whose resources are followed. */
  readonly namespaces: readonly string[];
  /** Of the Lease. */
  readonly podNamespace: string;
  readonly podName: string;
  readonly settings: Settings;
  /** Asks the DNS. */
  readonly lookup: Lookup;
  /** Unguessable, and different each time. */
  readonly newPlaceholder: () => string;
  /** Lower-case letters and digits, different each time. */
  readonly newId: () => string;
  readonly times?: ElectionTimes;
}

export interface Operator {
  readiness(stop: AbortSignal): readonly HealthCheck[];
  /** See `lead`. */
  run(stop: AbortSignal): Promise<void>;
}

/** All controllers of the operator, to be led by one process. */
export function makeOperator(parts: OperatorParts): Operator {
  const { client, registry, namespaces, podNamespace, podName, settings, lookup, newPlaceholder, newId } = parts;
  const { clock, random, log } = parts;
  const reflectors = new Reflectors({ client, clock, random, log, observer: reflectorMetrics(registry) });
  const caches = declareCaches(reflectors, namespaces);
  const events = new EventRecorder({ client, controller: operatorName, instance: podName, clock, log, newId });
  const election = {
    ...{ clock, random, log, client: parts.leaseClient },
    lease: { namespace: podNamespace, name: operatorName },
    candidate: `${podName}-${newId()}`,
    observer: electionMetrics(registry)(operatorName),
    ...(parts.times && { times: parts.times }),
  };
  const observerOf = controllerMetrics(registry);
  const shared: Parts = { caches, client, events, settings, clock, random, log };

  const begin = (leadership: Leadership) => {
    const fence = new Fence({ client, leadership, annotation: "copepod.dev/term" });
    const given: LeaderParts = { ...shared, fence, observerOf };
    return [
      makeSessionController({ ...given, newPlaceholder }),
      makeGroupController(given, lookup),
      makeWorkspaceController(given),
      makeCredentialController(given),
      makeRetentionController(given),
    ];
  };

  return {
    readiness: (stop) => readinessChecks(stop, reflectors),
    run: async (stop) => {
      try {
        await lead({ reflectors, campaign: (signal) => campaign(election, signal), begin, drainMs }, stop);
      } finally {
        await events.close();
      }
    },
  };
}
