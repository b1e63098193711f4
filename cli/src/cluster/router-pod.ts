import type { KubeClient } from "@copepod/kube/client/client";
import { ApiError } from "@copepod/kube/errors";
import type { KubeObject } from "@copepod/kube/object";
import { ExitError } from "../exit-codes.ts";
import { valueAt } from "../output/value-at.ts";
import { nameOf, pods } from "./kinds.ts";
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

/** Name of the router's pod. @throws ExitError `notRunning` when it is not installed; `unavailable` when it does not run */
export async function findRouter(client: KubeClient, namespace: string): Promise<string> {
  const [pod] = await podsOf(client, namespace, "router");
  if (!pod) {
    throw new ExitError("notRunning", "notRunning", {
      message: `the namespace "${namespace}" has no router`,
      cure: "Install it: `copepod install`. If it runs in another namespace, name that with `--system-namespace`.",
    });
  }
  if (isRunning(pod)) return nameOf(pod);
  throw new ExitError("failure", "unavailable", {
    message: `the router is not running: ${whyNot(pod)}`,
    cure: `\`copepod logs router\` shows its last words; \`kubectl -n ${namespace} describe pod ${nameOf(pod)}\` shows the rest.`,
  });
}

export const isReady = (pod: KubeObject): boolean => conditionOf(pod, "Ready")?.status === "True";

interface PodCondition {
  readonly status?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
}

export function conditionOf(object: KubeObject, type: string): PodCondition | undefined {
  const conditions = valueAt(object, ".status.conditions");
  return Array.isArray(conditions) ? conditions.find((one) => valueAt(one, ".type") === type) : undefined;
}

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

const isRunning = (pod: KubeObject): boolean =>
  statuses(pod).some((status) => valueAt(status, ".state.running") !== undefined);

const rank = (pod: KubeObject): number => Number(isReady(pod)) * 2 + Number(isRunning(pod));
