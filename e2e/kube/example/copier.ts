import { CopepodError } from "@copepod/core/errors";
import type { ReflectorDeps } from "@copepod/kube/cache/reflector";
import { Reflectors } from "@copepod/kube/cache/reflectors";
import type { KubeClient } from "@copepod/kube/client/client";
import { Controller, type Reconcile } from "@copepod/kube/controller/controller";
import { lead } from "@copepod/kube/controller/lead";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import { controllingOwner, isControlledBy, ownerKey, ownKey } from "@copepod/kube/controller/owners";
import { sourceOf } from "@copepod/kube/controller/sources";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import type { Leadership } from "@copepod/kube/lease/leadership";
import type { ElectionOptions, ElectionTimes } from "@copepod/kube/lease/options";
import { type HealthCheck, readinessChecks } from "@copepod/kube/metrics/health";
import { controllerMetrics, electionMetrics, reflectorMetrics } from "@copepod/kube/metrics/metrics";
import { type KubeObject, keyOf, type Resource } from "@copepod/kube/object";
import type { Registry } from "prom-client";
import { z } from "zod";

// A whole controller, as small as one can be: for each ConfigMap with the role "source" it keeps a copy in upper case, which
// the source owns. `main.ts` beside it makes a program of it.

const name = "copier";
export const roleLabel = "example.dev/role";
/** What runs at the stop gets this long to end. */
const drainMs = 5_000;

export const configMaps: Resource = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};

export interface CopierParts extends Omit<ReflectorDeps, "client" | "observer"> {
  readonly client: Pick<KubeClient, "list" | "watch" | "create" | "mergePatch" | "delete">;
  /** For the Lease alone: see `ElectionOptions`. */
  readonly leaseClient: ElectionOptions["client"];
  readonly registry: Registry;
  /** Where it works, and has its Lease. */
  readonly namespace: string;
  /** Of this process alone. */
  readonly candidate: string;
  readonly times?: ElectionTimes;
}

export interface Copier {
  readiness(stop: AbortSignal): readonly HealthCheck[];
  /** See `lead`. */
  run(stop: AbortSignal): Promise<void>;
}

export function makeCopier({ leaseClient, registry, namespace, candidate, times, ...tools }: CopierParts): Copier {
  const reflectors = new Reflectors({ ...tools, observer: reflectorMetrics(registry) });
  const objects = reflectors.declare({ resource: configMaps, namespace, transform: (object) => object });
  const observers = { election: electionMetrics(registry)(name), controller: controllerMetrics(registry)(name) };
  const election = {
    ...tools,
    client: leaseClient,
    lease: { namespace, name },
    candidate,
    observer: observers.election,
  };

  const begin = (leadership: Leadership) => {
    const fence = new Fence({ client: tools.client, leadership, annotation: "example.dev/term" });
    const reconcile: Reconcile = async (key, signal) => {
      const source = objects.get(key);
      const action = decide(source, source && objects.get(copyKey(source)));
      await apply(action, fence, signal);
      return undefined;
    };
    const sources = [
      sourceOf(objects, { keysOf: (object) => (isSource(object) ? ownKey(object) : []) }),
      sourceOf(objects, { keysOf: ownerKey(configMaps) }),
    ];
    return [new Controller({ ...tools, name, reconcile, sources, observer: observers.controller })];
  };

  return {
    readiness: (stop) => readinessChecks(stop, reflectors),
    run: (stop) =>
      lead(
        {
          reflectors,
          campaign: (signal) => campaign({ ...election, ...(times && { times }) }, signal),
          begin,
          drainMs,
        },
        stop,
      ),
  };
}

type Action =
  | { readonly kind: "nothing" }
  | { readonly kind: "create"; readonly copy: KubeObject }
  | { readonly kind: "patch"; readonly copy: KubeObject; readonly data: object };

/** @throws CopepodError `conflict` when somebody else has an object with the copy's name */
function decide(source: KubeObject | undefined, copy: KubeObject | undefined): Action {
  // The garbage collector removes the copy of a source that is gone.
  if (!source || !isSource(source) || source.metadata.deletionTimestamp !== undefined) return { kind: "nothing" };
  const data = mapValues(dataOf(source), (text) => text.toUpperCase());
  if (!copy) {
    const owner = controllingOwner(configMaps, source);
    return { kind: "create", copy: { metadata: { ...copyPlace(source), ownerReferences: [owner] }, data } };
  }
  if (!isControlledBy(copy, source)) {
    throw new CopepodError("conflict", `The ConfigMap ${copyKey(source)} is not a copy; rename it, or its source.`);
  }
  const patch = mergePatchOf(dataOf(copy), data);
  return patch ? { kind: "patch", copy, data: patch } : { kind: "nothing" };
}

async function apply(action: Action, fence: Fence, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case "nothing":
      return;
    case "create":
      await fence.create(configMaps, action.copy, { signal });
      return;
    case "patch":
      await fence.mergePatch(configMaps, action.copy, { data: action.data }, { signal });
      return;
  }
}

const isSource = ({ metadata }: KubeObject): boolean => metadata.labels?.[roleLabel] === "source";

const copyPlace = ({ metadata: { namespace = "", name = "" } }: KubeObject) => ({ namespace, name: `${name}-copy` });
const copyKey = (source: KubeObject): string => keyOf(copyPlace(source));

const dataSchema = z.record(z.string(), z.string());
export const dataOf = (object: KubeObject): Record<string, string> => dataSchema.parse(object.data ?? {});

const mapValues = (record: Record<string, string>, map: (value: string) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(record).map(([field, value]) => [field, map(value)]));
