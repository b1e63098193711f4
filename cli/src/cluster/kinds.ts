import type { KubeObject, Resource } from "@copepod/kube/object";

/** Kinds of Kubernetes that commands look at. */
const namespaced = (group: string, version: string, [kind, plural]: readonly [string, string]): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
});

export const pods = namespaced("", "v1", ["Pod", "pods"]);
export const serviceAccounts = namespaced("", "v1", ["ServiceAccount", "serviceaccounts"]);
export const accessReviews: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectAccessReview",
  plural: "selfsubjectaccessreviews",
  namespaced: false,
};

/** @param path such as `.status.phase`. @returns undefined where there is nothing */
export function valueAt(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const key of path.split(".").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value ?? undefined;
}

export const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? "";
