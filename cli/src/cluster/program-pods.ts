import type { KubeClient } from "@copepod/kube/client/client";
import { ApiError } from "@copepod/kube/errors";
import type { KubeObject } from "@copepod/kube/object";
import { valueAt } from "../output/value-at.ts";
import { nameOf, pods } from "./kinds.ts";
import { conditionOf } from "./objects.ts";
import { rightMissing } from "./rights.ts";

export type Program = "router" | "operator";

const selectorOf = (program: Program): string =>
  `app.kubernetes.io/name=copepod,app.kubernetes.io/component=${program}`;

/** The pods of one of Copepod's programs, the best first. @throws ExitError for a right that is missing */
export async function podsOf(client: KubeClient, namespace: string, program: Program): Promise<readonly KubeObject[]> {
  try {
    const { items } = await client.page(pods, { namespace, labelSelector: selectorOf(program) });
    return items.toSorted((one, other) => rank(other) - rank(one));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    throw rightMissing(`look for the ${program}`, { verb: "list", resource: "pods", namespace });
  }
}

export const isReady = (pod: KubeObject): boolean => conditionOf(pod, "Ready")?.status === "True";

/** What keeps a pod from running, in the words of Kubernetes. */
export function whyNot(pod: KubeObject): string {
  const phase = `its pod ${nameOf(pod)} is ${String(valueAt(pod, ".status.phase") ?? "new")}`;
  const waiting = statuses(pod).map((status) => valueAt(status, ".state.waiting"));
  const found = waiting.find((one) => one !== undefined) ?? conditionOf(pod, "PodScheduled");
  const words = [valueAt(found, ".reason"), valueAt(found, ".message")].filter((word) => typeof word === "string");
  return words.length === 0 ? phase : `${phase} (${words.join(": ")})`;
}

export function statuses(pod: KubeObject): readonly unknown[] {
  const list = valueAt(pod, ".status.containerStatuses");
  return Array.isArray(list) ? list : [];
}

export const isRunning = (pod: KubeObject): boolean =>
  statuses(pod).some((status) => valueAt(status, ".state.running") !== undefined);

const rank = (pod: KubeObject): number => Number(isReady(pod)) * 2 + Number(isRunning(pod));
