import type { KubeClient } from "@copepod/kube/client/client";
import { ExitError } from "../exit-codes.ts";
import { valueAt } from "../output/value-at.ts";
import { accessReviews, accountReviews } from "./kinds.ts";

/** A right as RBAC has it. */
export interface Right {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Undefined: of all namespaces, or of what has none. */
  readonly namespace?: string;
  /** Undefined: any. */
  readonly name?: string;
}

/**
 * Whether the person of the kubeconfig has the right.
 * @param user somebody else, in place of that person; to ask for others takes a right of its own
 */
export async function may(client: KubeClient, right: Right, user?: string): Promise<boolean> {
  const { verb, group = "", resource, subresource, namespace, name } = right;
  const resourceAttributes = { verb, group, resource, subresource, namespace, name };
  const kind = user === undefined ? accessReviews : accountReviews;
  const review = await client.create(kind, { metadata: {}, spec: { resourceAttributes, user } });
  return valueAt(review, ".status.allowed") === true;
}

/** The first of the rights that is missing. */
export async function missingRight(client: KubeClient, rights: readonly Right[]): Promise<Right | undefined> {
  for (const right of rights) if (!(await may(client, right))) return right;
  return undefined;
}

/** Such as `create pods/portforward in the namespace copepod`. */
export function describeRight({ verb, group = "", resource, subresource, namespace, name }: Right): string {
  const kind = `${resource}${subresource === undefined ? "" : `/${subresource}`}${group === "" ? "" : `.${group}`}`;
  const of = name === undefined ? "" : ` "${name}"`;
  return `${verb} ${kind}${of}${namespace === undefined ? "" : ` in the namespace "${namespace}"`}`;
}

export const rightMissing = (what: string, right: Right): ExitError =>
  new ExitError("refused", "forbidden", {
    message: `you may not ${what}: you lack the right to ${describeRight(right)}`,
    cure: "Ask an administrator of the cluster for this right (a Role and a RoleBinding), or choose another `--context`.",
  });
