import type { KubeObject, Resource } from "@copepod/kube/object";

/** Kinds of Kubernetes that commands look at. */
const namespaced = (group: string, [kind, plural]: readonly [string, string]): Resource => ({
  group,
  version: "v1",
  kind,
  plural,
  namespaced: true,
});

export const pods = namespaced("", ["Pod", "pods"]);
export const secrets = namespaced("", ["Secret", "secrets"]);
export const serviceAccounts = namespaced("", ["ServiceAccount", "serviceaccounts"]);
const ofCluster = (group: string, [kind, plural]: readonly [string, string]): Resource => ({
  group,
  version: "v1",
  kind,
  plural,
  namespaced: false,
});

export const namespaces = ofCluster("", ["Namespace", "namespaces"]);
export const storageClasses = ofCluster("storage.k8s.io", ["StorageClass", "storageclasses"]);
export const accessReviews = ofCluster("authorization.k8s.io", ["SelfSubjectAccessReview", "selfsubjectaccessreviews"]);
export const accountReviews = ofCluster("authorization.k8s.io", ["SubjectAccessReview", "subjectaccessreviews"]);
export const customResourceDefinitions = ofCluster("apiextensions.k8s.io", [
  "CustomResourceDefinition",
  "customresourcedefinitions",
]);
export const policies = ofCluster("admissionregistration.k8s.io", [
  "ValidatingAdmissionPolicy",
  "validatingadmissionpolicies",
]);

export const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? "";
