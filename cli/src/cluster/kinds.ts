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

export const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? "";
