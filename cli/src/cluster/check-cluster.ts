import { isDeepStrictEqual } from "node:util";
import { agentGroupDefinition } from "@copepod/crds/agent-group";
import { credentialDefinition } from "@copepod/crds/credential";
import { apiGroup, type Definition } from "@copepod/crds/definition";
import { crdYaml } from "@copepod/crds/generator/crd";
import { definitions } from "@copepod/crds/kinds";
import { sessionDefinition } from "@copepod/crds/session";
import type { KubeObject } from "@copepod/kube/object";
import { parse } from "yaml";
import type { Finding } from "../commands/finding.ts";
import { textAt, valueAt } from "../output/value-at.ts";
import { customResourceDefinitions, namespaces, policies, storageClasses } from "./kinds.ts";
import { conditionOf, listObjects, look, resourceOf } from "./objects.ts";
import type { Cluster } from "./open-cluster.ts";
import { isReady, type Program, podsOf, whyNot } from "./program-pods.ts";
import { describeRight, may, type Right } from "./rights.ts";

/** Looks at all that Copepod needs in a cluster, as far as the person may see it. */
export async function checkCluster(cluster: Cluster): Promise<readonly Finding[]> {
  const [namespace, kinds, ...others] = await Promise.all([
    checkNamespace(cluster),
    checkKinds(cluster),
    checkProgram(cluster, "router"),
    checkProgram(cluster, "operator"),
    checkPolicies(cluster),
    checkStorage(cluster),
    checkRights(cluster),
  ]);
  const isUsable = kinds.state !== "bad";
  const own = isUsable ? await Promise.all([checkObjects(cluster), checkNetwork(cluster)]) : [];
  return [namespace, kinds, ...others, ...own.flat()];
}

const install = "Install Copepod: `copepod install`.";

const securityLevel = "pod-security.kubernetes.io/enforce";

async function checkNamespace({ client, namespace }: Cluster): Promise<Finding> {
  const found = await look(client.get(namespaces, { name: namespace }));
  if (found === "missing") {
    const cure = "Name another with `-n`, or make it: the chart does so for `agents.namespaces`.";
    return { check: "namespace", state: "bad", detail: `"${namespace}" does not exist`, cure };
  }
  if (found !== "forbidden" && found.metadata.labels?.[securityLevel] !== "restricted") {
    const cure = `Label it \`${securityLevel}=restricted\`: else any pod may be made there, with all of the node.`;
    return { check: "namespace", state: "info", detail: `"${namespace}" takes pods that are not restricted`, cure };
  }
  return { check: "namespace", state: "ok", detail: `agents are in "${namespace}"` };
}

async function checkKinds({ client, namespace }: Cluster): Promise<Finding> {
  const states = await Promise.all(
    definitions.map(async (definition) => {
      const name = `${definition.plural}.${apiGroup}`;
      const found = await look(client.get(customResourceDefinitions, { name }));
      if (found !== "forbidden") return { name, state: found === "missing" ? found : currencyOf(found, definition) };
      const page = await look(client.page(resourceOf(definition), { namespace, limit: 1 }));
      return { name, state: page === "missing" ? page : ("unseen" as const) };
    }),
  );
  const named = (state: string) => states.filter((one) => one.state === state).map(({ name }) => name);
  const [missing, other] = [named("missing"), named("other")];
  if (missing.length > 0)
    return { check: "kinds", state: "bad", detail: `missing: ${missing.join(", ")}`, cure: install };
  if (other.length > 0) {
    const cure = "Bring the chart copepod-crds and this program to the same version.";
    return { check: "kinds", state: "bad", detail: `of another version than this program: ${other.join(", ")}`, cure };
  }
  const unseen = named("unseen").length > 0 ? "; you may not see of which version" : "";
  return { check: "kinds", state: "ok", detail: `all are there${unseen}` };
}

/** Whether the API server's schema is that of this program. */
function currencyOf(found: KubeObject, definition: Definition): "current" | "other" {
  const [served, own] = [found, parse(crdYaml(definition))].map((crd) =>
    valueAt(crd, '.spec.versions[?(@.name=="v1alpha1")].schema'),
  );
  return isDeepStrictEqual(served, own) ? "current" : "other";
}

/** Without these nothing happens, and nobody says so: all that a program has to write on is refused. */
const needs = {
  router: { verb: "patch", group: apiGroup, resource: "sessions" },
  operator: { verb: "patch", group: apiGroup, resource: "sessions", subresource: "status" },
} as const;

async function checkProgram(cluster: Cluster, program: Program): Promise<Finding> {
  const { client, systemNamespace: namespace } = cluster;
  const found = await look(podsOf(client, namespace, program));
  if (typeof found === "string") return unseen(program, { verb: "list", resource: "pods", namespace });
  const ready = found.find(isReady);
  if (ready) return await checkProgramRights(cluster, program, ready);
  const [pod] = found;
  if (!pod) return { check: program, state: "bad", detail: `the namespace "${namespace}" has none`, cure: install };
  const cure = `\`copepod logs ${program}\` has its last words; \`kubectl -n ${namespace} describe pods\` the rest.`;
  return { check: program, state: "bad", detail: whyNot(pod), cure };
}

async function checkProgramRights(
  { client, systemNamespace, namespace }: Cluster,
  program: Program,
  pod: KubeObject,
): Promise<Finding> {
  const right = { ...needs[program], namespace };
  const user = `system:serviceaccount:${systemNamespace}:${textAt(pod, ".spec.serviceAccountName")}`;
  if ((await look(may(client, right, user))) !== false)
    return { check: program, state: "ok", detail: `ready (${textAt(pod, ".metadata.name")})` };
  const cure = "`helm upgrade` with the same values puts its Roles back; `agents.namespaces` must name the namespace.";
  return { check: program, state: "bad", detail: `runs, and may not ${describeRight(right)}`, cure };
}

async function checkPolicies({ client }: Cluster): Promise<Finding> {
  const check = "admission policies";
  const found = await look(client.page(policies, { labelSelector: "app.kubernetes.io/name=copepod" }));
  if (typeof found === "string")
    return unseen(check, { verb: "list", group: policies.group, resource: policies.plural });
  if (found.items.length > 0) return { check, state: "ok", detail: `${found.items.length} are there` };
  const cure =
    "Set `admissionPolicies.enabled: true` of the chart: without them, who may write Credentials may read Secrets.";
  return { check, state: "bad", detail: "there are none", cure };
}

const defaultClass = "storageclass.kubernetes.io/is-default-class";

async function checkStorage({ client }: Cluster): Promise<Finding> {
  const check = "storage";
  const found = await look(client.page(storageClasses));
  if (typeof found === "string")
    return unseen(check, { verb: "list", group: storageClasses.group, resource: "storageclasses" });
  const names = found.items.map((one) => one.metadata.name ?? "");
  const standard = found.items.find(({ metadata }) => metadata.annotations?.[defaultClass] === "true");
  if (standard) return { check, state: "ok", detail: `volumes come from "${standard.metadata.name}"` };
  const cure = "Make one the default, or name one in `storage.storageClassName` of agent groups and of the chart.";
  const detail = names.length === 0 ? "there is no storage class" : `none of ${names.join(", ")} is the default`;
  return { check, state: names.length === 0 ? "bad" : "info", detail, cure };
}

/** Whether rules of network policies hold can be seen only by trying; the operator says what it knows. */
async function checkNetwork(cluster: Cluster): Promise<Finding> {
  const check = "network policies";
  const groups = await look(listObjects(cluster, agentGroupDefinition));
  const open =
    typeof groups === "string" ? [] : groups.filter((one) => conditionOf(one, "EgressRestricted")?.status === "False");
  if (open.length === 0) {
    const cure = "`helm test copepod` tries whether the cluster's network enforces them.";
    return { check, state: "info", detail: "can't be seen from outside", cure };
  }
  const words = open.map((one) => `${one.metadata.name}: ${String(conditionOf(one, "EgressRestricted")?.message)}`);
  return { check, state: "info", detail: words.join("\n      ") };
}

/** What is not ready of people's decisions, and sessions that can't start. */
async function checkObjects(cluster: Cluster): Promise<readonly Finding[]> {
  const lists = await Promise.all(
    [agentGroupDefinition, credentialDefinition, sessionDefinition].map(async (definition) => {
      const found = await look(listObjects(cluster, definition));
      if (typeof found === "string") {
        return unseen(definition.plural, { verb: "list", group: apiGroup, resource: definition.plural });
      }
      const bad = found.filter((one) => isBad(one, definition));
      if (bad.length === 0)
        return { check: definition.plural, state: "ok", detail: `${found.length}, all well` } as const;
      const words = bad.map((one) => `${one.metadata.name}: ${String(conditionOf(one, "Ready")?.message)}`);
      const cure =
        definition === sessionDefinition
          ? "`copepod debug session <name>` says what to do."
          : "Mend what the sentence names.";
      return { check: definition.plural, state: "bad", detail: words.join("\n      "), cure } as const;
    }),
  );
  return lists;
}

function isBad(object: KubeObject, definition: Definition): boolean {
  const ready = conditionOf(object, "Ready");
  if (definition === sessionDefinition) return textAt(object, ".status.phase") === "Failed";
  return ready?.status === "False" && ready.reason !== "Suspended";
}

/** What a person needs who chats, and looks after agents. */
async function checkRights({ client, namespace, systemNamespace }: Cluster): Promise<Finding> {
  const inSystem = { resource: "pods", namespace: systemNamespace };
  const wanted: Right[] = [
    { verb: "list", ...inSystem },
    { verb: "get", ...inSystem, subresource: "portforward" },
    { verb: "create", ...inSystem, subresource: "portforward" },
    { verb: "get", ...inSystem, subresource: "log" },
    { verb: "get", resource: "pods", subresource: "log", namespace },
    ...["list", "patch"].map((verb) => ({ verb, group: apiGroup, resource: "agentgroups", namespace })),
    ...["list", "patch"].map((verb) => ({ verb, group: apiGroup, resource: "sessions", namespace })),
  ];
  const has = await Promise.all(wanted.map(async (right) => await may(client, right)));
  const missing = wanted.filter((_, at) => !has[at]);
  if (missing.length === 0)
    return { check: "your rights", state: "ok", detail: "all that chatting and managing needs" };
  const cure = "Ask an administrator for a role of the chart (`rbac.peopleRoles`), if you want to do more.";
  return { check: "your rights", state: "info", detail: `you may not ${missing.map(describeRight).join("; ")}`, cure };
}

const unseen = (check: string, right: Right): Finding => ({
  check,
  state: "info",
  detail: `you may not ${describeRight(right)}, so it was not looked at`,
});
