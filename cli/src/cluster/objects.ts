import { codeOf } from "@copepod/core/errors";
import { apiGroup, apiVersionName, type Definition } from "@copepod/crds/definition";
import type { KubeClient } from "@copepod/kube/client/client";
import { isNotFound } from "@copepod/kube/errors";
import type { KubeObject, ObjectName, Resource } from "@copepod/kube/object";
import { ExitError } from "../exit-codes.ts";
import { valueAt } from "../output/value-at.ts";
import type { Cluster } from "./open-cluster.ts";

export const resourceOf = ({ kind, plural }: Pick<Definition, "kind" | "plural">): Resource => ({
  group: apiGroup,
  version: apiVersionName,
  kind,
  plural,
  namespaced: true,
});

/** Objects of one kind in the namespace of agents, or the one of that name; none when it does not exist. */
export async function listObjects(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  definition: Pick<Definition, "kind" | "plural">,
  name?: string,
): Promise<readonly KubeObject[]> {
  const resource = resourceOf(definition);
  if (name !== undefined) {
    const found = await getIfThere(client, resource, { namespace, name });
    return found ? [shown(found)] : [];
  }
  try {
    return (await Array.fromAsync(client.list(resource, { namespace }))).flatMap(({ items }) => items.map(shown));
  } catch (error) {
    throw isNotFound(error) ? kindMissing(definition) : error;
  }
}

/** Who manages which field is long, and for programs only. */
const shown = ({ metadata: { managedFields, ...metadata }, ...rest }: KubeObject): KubeObject => ({
  metadata,
  ...rest,
});

/** @returns undefined for what does not exist */
export async function getIfThere(
  client: KubeClient,
  resource: Resource,
  name: ObjectName,
): Promise<KubeObject | undefined> {
  try {
    return await client.get(resource, name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return undefined;
  }
}

/** What was looked at; or that it is not there, or that the person may not see whether it is. */
export type Seen<T> = T | "forbidden" | "missing";

/** @throws whatever is no refusal of that kind */
export async function look<T>(call: Promise<T>): Promise<Seen<T>> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return "missing";
    if (codeOf(error) === "forbidden") return "forbidden";
    throw error;
  }
}

interface Condition {
  readonly status?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
}

export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const conditions = valueAt(object, ".status.conditions");
  return Array.isArray(conditions) ? conditions.find((one) => valueAt(one, ".type") === type) : undefined;
}

const kindMissing = ({ plural }: Pick<Definition, "plural">): ExitError =>
  new ExitError("notFound", "notFound", {
    message: `the cluster does not know ${plural}.${apiGroup}`,
    cure: "Install Copepod's kinds: `copepod install`, or the chart copepod-crds.",
  });
