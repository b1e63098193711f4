import { apiGroup, apiVersionName, type Definition } from "@copepod/crds/definition";
import { definitions } from "@copepod/crds/kinds";
import type { Resource } from "@copepod/kube/object";

const core = (kind: string, plural: string, namespaced = true): Resource => ({
  group: "",
  version: "v1",
  kind,
  plural,
  namespaced,
});

export const pods = core("Pod", "pods");
export const volumeClaims = core("PersistentVolumeClaim", "persistentvolumeclaims");
export const serviceAccounts = core("ServiceAccount", "serviceaccounts");
export const configMaps = core("ConfigMap", "configmaps");
export const nodes = core("Node", "nodes", false);
export const networkPolicies: Resource = {
  group: "networking.k8s.io",
  version: "v1",
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  namespaced: true,
};

const own = (kind: Definition["kind"]): Resource => {
  const found = definitions.find((one) => one.kind === kind);
  if (!found) throw new TypeError(`there is no kind ${kind}`);
  return { group: apiGroup, version: apiVersionName, kind, plural: found.plural, namespaced: true };
};

export const agentGroups = own("AgentGroup");
export const sessions = own("Session");
export const credentials = own("Credential");
export const workspaces = own("Workspace");
